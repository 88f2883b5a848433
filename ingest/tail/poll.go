package tail

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// inotify reports only what this kernel writes through this mount. Writes by another host to a file
// server, or below a FUSE or overlay mount, are not reported. Therefore cold logs on a file system
// that is not known to be local are polled by stat as well as watched. On a local one, sizes are
// compared with the listing every five minutes.

const (
	// minPoll and maxPoll limit the time between two polls of the same log; between them it is
	// pollCost for each polled log.
	minPoll  = 2 * time.Second
	maxPoll  = 15 * time.Second
	pollCost = time.Millisecond
)

// pollCold opens the polled logs that changed.
func (op *opener) pollCold() {
	if len(op.set.polled) == 0 || op.now.Sub(op.lastPoll) < op.cooler.pollInterval() {
		return
	}
	op.lastPoll = op.now
	for f := range op.set.polled {
		op.compare(f)
	}
}

// compare checks a polled log.
func (op *opener) compare(f *file) {
	if len(f.places) == 0 {
		if f.state != stateCold { // removed, and no event reports it
			op.sweeper.lostUnread(f)
			op.set.end(f)
		}
		return
	}
	var st unix.Stat_t
	err := unix.Stat(f.path(), &st)
	switch {
	case errors.Is(err, unix.ENOENT) || err == nil && idOf(&st) != f.id:
		op.relist = true // the name is gone or belongs to another file
	case err != nil:
		op.warm(f) // opening it reports the reason
	default:
		op.compareTo(f, &st)
	}
}

// compareTo opens a closed log whose size or modification time has changed.
func (op *opener) compareTo(f *file, st *unix.Stat_t) {
	if f.state.asleep() && (st.Size != f.size || st.Mtim != f.modified) {
		op.warm(f)
	}
}
