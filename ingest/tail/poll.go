package tail

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// inotify reports what this kernel writes through this mount. What another machine
// writes to a file server, or somebody writes underneath a FUSE or overlay mount, is
// not reported; so cold logs on any file system that is not known to be local are
// polled by stat as well as watched. On a local one, sizes are compared with the
// five-minute listing.

const (
	// minPoll and maxPoll bound the time between two polls of the same log; between
	// them it is pollCost for each log.
	minPoll  = 2 * time.Second
	maxPoll  = 15 * time.Second
	pollCost = time.Millisecond
)

// pollCold opens the polled logs that changed.
func (t *Tailer) pollCold() {
	if len(t.set.polled) == 0 || t.now.Sub(t.set.lastPoll) < t.set.pollInterval() {
		return
	}
	t.set.lastPoll = t.now
	for f := range t.set.polled {
		t.compare(f)
	}
}

// compare looks at a polled log.
func (t *Tailer) compare(f *file) {
	if len(f.places) == 0 {
		if f.state != stateCold { // removed, and nothing else reports it
			t.sweeper.lostUnread(f)
			t.set.end(f)
		}
		return
	}
	var st unix.Stat_t
	err := unix.Stat(f.path(), &st)
	switch {
	case errors.Is(err, unix.ENOENT) || err == nil && idOf(&st) != f.id:
		t.relist = true // the name is gone, or another file's
	case err != nil:
		t.warm(f) // opening it says why
	default:
		t.compareTo(f, &st)
	}
}

// compareTo opens a closed log whose size or time of modification is not what it was.
func (t *Tailer) compareTo(f *file, st *unix.Stat_t) {
	if f.state.asleep() && (st.Size != f.size || st.Mtim != f.modified) {
		t.warm(f)
	}
}
