package tail

import (
	"slices"

	"golang.org/x/sys/unix"
)

// state is what is being done with a file. Every file is in one state, and only fileSet.to changes
// it:
//
//	        first listing               quiet, or evicted
//	 found ───────────────▶ open ◀─────────────────────────▶ cold     its next write is reported
//	   │                     ▲ ▲   ◀───────────────────────▶ polled   compared by stat
//	   │                     │ │   ◀───────────────────────▶ waiting  has unread lines
//	   │   may be a copy     │ │     written, or a descriptor is free
//	   │   of another log    ▼ │
//	   │     shelved ◀────▶ held      "open" again if it is a log of its own
//	   │              evicted  │
//	   ▼                       ▼
//	failing ◀──── an error, from every state; opened again after a pause
//
//	gone    ◀──── removed and read to its end, from every state; it is forgotten
//
// A file has a descriptor in the states open and held only.
type state uint8

const (
	stateFound   state = iota // not opened yet
	stateOpen                 // read at every sweep
	stateHeld                 // open, checked at every sweep and not read, because it may be a copy of an existing log
	stateShelved              // held, but closed because no descriptor was free; compared by stat
	stateCold                 // closed, a watch reports its next write
	statePolled               // closed, compared by stat
	stateWaiting              // closed with unread lines because no descriptor was free; opened at the next sweep
	stateFailing              // closed, could not be read; opened again after a pause
	stateGone                 // forgotten
)

// isOpen reports whether a file in this state has a descriptor.
func (s state) isOpen() bool { return s == stateOpen || s == stateHeld }

// asleep reports whether a file in this state is closed until it changes.
func (s state) asleep() bool {
	return s == stateFound || s == stateShelved || s == stateCold || s == statePolled
}

// transitions are the permitted next states of each state.
var transitions = [...][]state{
	stateFound:   {stateOpen, stateFailing, stateGone},
	stateOpen:    {stateFound, stateOpen, stateHeld, stateCold, statePolled, stateWaiting, stateFailing, stateGone},
	stateHeld:    {stateOpen, stateShelved, stateCold, statePolled, stateFailing, stateGone},
	stateShelved: {stateOpen, stateHeld, stateFailing, stateGone},
	stateCold:    {stateOpen, stateFailing, stateGone},
	statePolled:  {stateOpen, stateFailing, stateGone},
	stateWaiting: {stateOpen, stateFailing, stateGone},
	stateFailing: {stateOpen, stateFailing, stateGone},
	stateGone:    {},
}

// to changes a file's state: it removes the file from the lists of the previous state and adds it
// to those of the next one. A file that becomes closed loses its descriptor, and one that is no
// longer cold its watch. The caller must have set what else the state needs: fd, wd, failure.
func (set *fileSet) to(f *file, next state) {
	if set.moved != nil {
		set.moved(f, next)
	}
	was := f.state
	f.state = next
	if was == stateCold && f.wd >= 0 {
		delete(set.coldBy, f.wd)
		set.watch.unwatchCold(f.wd)
		f.wd = -1
	}
	if !next.isOpen() {
		set.closeFile(f)
	} else if !was.isOpen() {
		set.hot = append(set.hot, f)
	}
	for _, l := range []struct {
		files *[]*file
		in    func(state) bool
	}{
		{&set.held, func(s state) bool { return s == stateHeld || s == stateShelved }},
		{&set.failing, func(s state) bool { return s == stateFailing }},
		{&set.waiting, func(s state) bool { return s == stateWaiting }},
	} {
		switch before, after := l.in(was), l.in(next); {
		case before && !after:
			*l.files = without(*l.files, f)
		case !before && after:
			*l.files = append(*l.files, f)
		}
	}
	if next == statePolled || next == stateShelved || next == stateCold && f.remote {
		set.polled[f] = true
	} else {
		delete(set.polled, f)
	}
	if next == stateCold {
		set.coldBy[f.wd] = f
	}
}

// closeFile closes a file's descriptor, if it has one. The state does not change.
func (set *fileSet) closeFile(f *file) {
	if f.fd >= 0 {
		unix.Close(f.fd)
		f.fd = -1
		set.hot = without(set.hot, f)
	}
}

func without(files []*file, f *file) []*file {
	if i := slices.Index(files, f); i >= 0 {
		return slices.Delete(files, i, i+1)
	}
	return files
}
