package tail

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A Tailer keeps at most maxOpen logs open. What else the process needs (checkpoint,
// spool, table, connections, directories being listed) comes out of the reserve.
//
// Beyond the limit, the log that grew least recently is closed. One that is read to
// its end goes cold; one with unread lines waits, and is opened again in the next
// sweep. A log without a name cannot be opened again, so it is never closed with
// unread lines.

const (
	// minReserve and maxReserve bound the descriptors that are left to the rest of
	// the process; between them it is a quarter of the limit.
	minReserve = 40
	maxReserve = 512
	// minOpen logs are kept open however low the limit is.
	minOpen = 4
	// pressedStep is by how many the budget shrinks when the process, or the
	// machine, has no descriptor left.
	pressedStep = 8
)

// openBudget returns how many logs a process with that limit of descriptors may
// keep open.
func openBudget(limit uint64) int {
	n := int(min(limit, 1<<30))
	return max(n-min(max(n/4, minReserve), maxReserve), minOpen)
}

// processBudget is openBudget for this process.
func processBudget() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return openBudget(1024)
	}
	return openBudget(limit.Cur)
}

// makeRoom closes logs until n more may be opened.
func (t *Tailer) makeRoom(n int) {
	for over := len(t.hot) + min(len(t.rests), 1) + n - t.budget; over > 0; over-- {
		if f := t.victim(); f != nil {
			t.evict(f)
		}
	}
}

// noDescriptor reports whether err says that there is no descriptor left.
func noDescriptor(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// pressed reports whether err says that there is no descriptor left, and an attempt
// after it is worth while: some logs were closed.
func (t *Tailer) pressed(err error) bool {
	if !noDescriptor(err) {
		return false
	}
	open := len(t.hot)
	if !t.noDescriptors {
		t.noDescriptors = true
		t.cfg.Log.Warn("no file descriptor left, keeping fewer logs open", "open_logs", open, "err", err,
			"hint", "raise LimitNOFILE= of the unit (ulimit -n); with ENFILE, fs.file-max")
	}
	t.budget = max(min(t.budget, open)-pressedStep, minOpen)
	t.makeRoom(0)
	return len(t.hot) < open
}

// relieve lets the budget grow again after pressed made it smaller.
func (t *Tailer) relieve() {
	if t.budget < t.maxOpen {
		t.budget = min(t.budget+max(t.budget/8, 1), t.maxOpen)
		return
	}
	t.noDescriptors = false
}

// victim returns the log to close next, nil if all that are open have to stay.
func (t *Tailer) victim() *file {
	var best *file
	bestRank := 0
	for _, f := range t.hot {
		rank := t.evictionRank(f)
		if rank > 0 && (best == nil || rank < bestRank || rank == bestRank && f.active.Before(best.active)) {
			best, bestRank = f, rank
		}
	}
	return best
}

// evictionRank orders what may be closed, 1 first; 0 must stay open.
func (t *Tailer) evictionRank(f *file) int {
	switch {
	case f == t.inUse:
		return 0
	case len(f.places) > 0 && !f.unseen && !f.behind():
		return 1
	case len(f.places) > 0:
		return 3
	case !f.unseen && f.size <= f.read:
		return 2 // late lines in it cannot be read any more
	}
	return 0
}

// behind reports whether whole lines of the file are known to be unread.
func (f *file) behind() bool { return f.size > f.read && !f.part }

// evict closes a log that victim chose.
func (t *Tailer) evict(f *file) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err == nil && st.Size > f.size { // it has grown since it was looked at
		f.size, f.part = st.Size, false
	}
	switch {
	case len(f.places) == 0 && (f.unseen || f.size > f.read):
		return
	case len(f.places) == 0:
		if !t.cool(f) { // removed: nothing would wake it
			t.gone(f)
		}
	case !f.unseen && t.cool(f):
	case (f.unseen || f.behind()) && !slices.Contains(t.held, f):
		t.closeFile(f)
		f.waits = true
		t.waiting = append(t.waiting, f)
	default:
		t.closePolled(f, &st)
	}
}

// sweepWaiting opens and looks at each log that waits for a descriptor. It reports
// whether some still wait with unread lines, and whether there is no room to read.
func (t *Tailer) sweepWaiting(ctx context.Context) (again, waits bool) {
	for range len(t.waiting) {
		if ctx.Err() != nil {
			break
		}
		f := t.waiting[0]
		t.waiting = slices.Delete(t.waiting, 0, 1)
		if f.fd < 0 && !t.reopen(f) {
			continue
		}
		switch t.look(ctx, f) {
		case more:
			again = true
		case starving:
			return false, true
		}
	}
	return again || len(t.waiting) > 0, false
}

// reopen opens a log that waited; false: it is not to be read now.
func (t *Tailer) reopen(f *file) bool {
	f.waits = false
	if len(f.places) == 0 {
		t.lostUnread(f)
		t.gone(f)
		return false
	}
	return t.open(f)
}

// readDir is os.ReadDir for a process that may have no descriptor left.
func (t *Tailer) readDir(path string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(path)
	if err != nil && t.pressed(err) {
		return os.ReadDir(path)
	}
	return entries, err
}
