package agent

import (
	"slices"

	"sluice/schema"
)

// What a collector does not take, or says that is not believed, outlives the session in
// which it was said. All of it is guarded by Agent.mu.

// maxDistrusted bounds what is kept of positions that were not believed.
const maxDistrusted = 4

// noteRefused notes that the collector does not take a stream. It reports whether that was
// known.
func (a *Agent) noteRefused(p *parcel, why string) (known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, known = a.refused[p.stream.ID]
	a.refused[p.stream.ID] = why
	if !known {
		a.begin[p.stream.ID] = p.Start
	}
	return known
}

// refuses reports whether the collector does not take a stream.
func (a *Agent) refuses(id schema.StreamID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.refused[id]
	return ok
}

// refusing reports whether the collector does not take some stream.
func (a *Agent) refusing() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.refused) > 0
}

// skip counts bytes that were read and are not sent.
func (a *Agent) skip(bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.skipped += bytes
}

// noteForked notes that a log became another stream.
func (a *Agent) noteForked() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forked = true
}

// readsAgain reports, at the start of a session, whether all logs are to be read again:
// something was refused, or a log became another stream since the last call.
func (a *Agent) readsAgain() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	again := a.forked || len(a.refused) > 0
	a.forked = false
	return again
}

// noteContested notes that the collector has other lines at a position. It reports whether
// that is new.
func (a *Agent) noteContested(at ending) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lastContested == at {
		return false
	}
	a.lastContested = at
	return true
}

// noteDistrusted keeps the text about a position that was not believed; the last few are
// kept. It reports whether it is new.
func (a *Agent) noteDistrusted(text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.distrusted, text) {
		return false
	}
	a.distrusted = append(a.distrusted, text)
	a.distrusted = a.distrusted[max(0, len(a.distrusted)-maxDistrusted):]
	return true
}
