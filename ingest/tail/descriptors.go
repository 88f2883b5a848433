package tail

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A Tailer keeps at most maxOpen logs open. The other descriptors of the process (checkpoint,
// spool, table, connections, directories being listed) are a reserve.
//
// Beyond the limit, the log that grew least recently is closed. If it is read to its end it goes
// cold; otherwise it waits and is opened again in the next sweep. A log without a name cannot be
// opened again, so it is never closed with unread lines.

const (
	// minReserve and maxReserve limit the number of descriptors that are kept for the rest of the
	// process. Between them the reserve is a quarter of the process's limit.
	minReserve = 40
	maxReserve = 512
	// minOpen is how many logs are kept open even if the limit is lower.
	minOpen = 4
	// pressedStep is how much the budget shrinks when the process or the system has no free
	// descriptor.
	pressedStep = 8
)

// descriptors opens files, and limits the number of open ones to the descriptors that are available.
type descriptors struct {
	*env
	contents *contents
	set      *fileSet
	cooler   *cooler

	inUse           *file      // is being looked at, so it must stay open whatever else is opened
	maxOpen, budget int        // limit of open logs: as configured, and at present
	noDescriptors   bool       // logged already
	restsOpen       func() int // returns how many descriptors compressed copies have
}

func newDescriptors(e *env, c *contents, set *fileSet, co *cooler) *descriptors {
	de := &descriptors{env: e, contents: c, set: set, cooler: co, maxOpen: e.cfg.MaxOpen}
	if de.maxOpen == 0 {
		de.maxOpen = processBudget()
	}
	de.budget = de.maxOpen
	return de
}

// openBudget returns how many logs a process with that limit of descriptors may keep open.
func openBudget(limit uint64) int {
	n := int(min(limit, 1<<30))
	return max(n-min(max(n/4, minReserve), maxReserve), minOpen)
}

// processBudget returns openBudget for this process.
func processBudget() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return openBudget(1024)
	}
	return openBudget(limit.Cur)
}

// makeRoom closes logs until n more may be opened.
func (de *descriptors) makeRoom(n int) {
	for over := len(de.set.hot) + de.restsOpen() + n - de.budget; over > 0; over-- {
		if f := de.victim(); f != nil {
			de.evict(f)
		}
	}
}

// noDescriptor reports whether err means that no descriptor is free.
func noDescriptor(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// pressed closes some logs if err means that no descriptor is free. It reports whether the failed
// call should be repeated.
func (de *descriptors) pressed(err error) bool {
	if !noDescriptor(err) {
		return false
	}
	open := len(de.set.hot)
	if !de.noDescriptors {
		de.noDescriptors = true
		de.cfg.Log.Warn("no file descriptor left, keeping fewer logs open", "open_logs", open, "err", err,
			"hint", "raise LimitNOFILE= of the unit (ulimit -n); with ENFILE, fs.file-max")
	}
	de.budget = max(min(de.budget, open)-pressedStep, minOpen)
	de.makeRoom(0)
	return len(de.set.hot) < open
}

// relieve lets the budget grow again after pressed made it smaller.
func (de *descriptors) relieve() {
	if de.budget < de.maxOpen {
		de.budget = min(de.budget+max(de.budget/8, 1), de.maxOpen)
		return
	}
	de.noDescriptors = false
}

// victim returns the log to close next, or nil if all open ones must stay open.
func (de *descriptors) victim() *file {
	var best *file
	bestRank := 0
	for _, f := range de.set.hot {
		rank := de.evictionRank(f)
		if rank > 0 && (best == nil || rank < bestRank || rank == bestRank && f.active.Before(best.active)) {
			best, bestRank = f, rank
		}
	}
	return best
}

// evictionRank returns in which order logs may be closed, beginning with 1; 0 must stay open.
func (de *descriptors) evictionRank(f *file) int {
	switch {
	case f == de.inUse:
		return 0
	case len(f.places) > 0 && !f.unseen && !f.behind():
		return 1
	case len(f.places) > 0:
		return 3
	case !f.unseen && f.size <= f.read:
		return 2 // late lines in it could not be read any more
	}
	return 0
}

// behind reports whether complete lines of the file are known to be unread.
func (f *file) behind() bool { return f.size > f.read && !f.part }

// evict closes a log that victim chose.
func (de *descriptors) evict(f *file) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err == nil && st.Size > f.size { // it has grown since the last look
		f.size, f.part = st.Size, false
	}
	switch {
	case len(f.places) == 0 && (f.unseen || f.size > f.read):
		return
	case len(f.places) == 0:
		if !de.cooler.cool(f) { // it was removed, so no event would report a write
			de.set.end(f)
		}
	case f.state == stateHeld:
		de.cooler.poll(f, &st)
	case !f.unseen && de.cooler.cool(f):
	case f.unseen || f.behind():
		de.set.to(f, stateWaiting)
	default:
		de.cooler.poll(f, &st)
	}
}

// readDir is os.ReadDir for a process that may have no free descriptor.
func (de *descriptors) readDir(path string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(path)
	if err != nil && de.pressed(err) {
		return os.ReadDir(path)
	}
	return entries, err
}
