package tail

import "slices"

// moved fails the test if the table of transitions does not have a change of state, or if a file is
// not what its state requires. Every test's Tailer uses it.
func (w *world) moved(f *file, next state) {
	w.Helper()
	if !slices.Contains(transitions[f.state], next) {
		w.Errorf("%s: state %d to %d", f.path(), f.state, next)
	}
	set := w.tailer.set
	for name, in := range map[string][2]bool{
		"hot":     {slices.Contains(set.hot, f), f.state.isOpen()},
		"held":    {slices.Contains(set.held, f), f.state == stateHeld || f.state == stateShelved},
		"waiting": {slices.Contains(set.waiting, f), f.state == stateWaiting},
		"failing": {slices.Contains(set.failing, f), f.state == stateFailing},
		"polled":  {set.polled[f], f.state == statePolled || f.state == stateShelved || f.state == stateCold && f.remote},
	} {
		if in[0] != in[1] {
			w.Errorf("%s, in state %d: on the list %q: %v", f.path(), f.state, name, in[0])
		}
	}
	if f.state != stateCold && f.wd >= 0 && next != stateCold {
		w.Errorf("%s, in state %d: it has a watch", f.path(), f.state)
	}
}
