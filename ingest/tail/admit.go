package tail

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
)

// admit begins to follow a file: it is opened, identified, and read in the sweeps while it grows.
func (t *Tailer) admit(f *file) {
	if !t.set.open(f) {
		return
	}
	t.identifier.meet(f)
	t.set.settle(f)
}

// meetAll admits the files of the first listing: first those that are known by their inode, so that
// copies of them are recognized.
func (t *Tailer) meetAll() {
	var unknown []*file
	for _, f := range t.set.files {
		if !t.set.open(f) {
			continue
		}
		start, err := t.contents.headOf(f)
		if err != nil {
			t.set.failed(f, err)
			continue
		}
		if t.cfg.Checkpoint.Find(t.cfg.Host, f.seen(start)) != nil {
			t.identifier.meet(f)
			t.set.settle(f)
			continue
		}
		t.set.to(f, stateFound)
		unknown = append(unknown, f)
	}
	t.searcher.findMissing()
	for _, f := range unknown {
		if f.stream == nil {
			t.admit(f)
		}
	}
}

// coldEvent handles one event of a cold file.
func (t *Tailer) coldEvent(e event) {
	f := t.set.coldBy[e.wd]
	if f == nil {
		return
	}
	delete(t.set.coldBy, e.wd)
	f.wd = -1 // a one-shot watch is removed when it fires
	if e.mask&unix.IN_MODIFY != 0 {
		t.warm(f)
		return
	}
	t.set.end(f) // the watch ended because the inode was deleted
}

// warm opens a file that was cold.
func (t *Tailer) warm(f *file) {
	if len(f.places) == 0 {
		t.writtenAway(f)
		return
	}
	if t.set.open(f) {
		f.active = t.now
	}
}

// writtenAway handles a file that was written after it was moved to where no source looks. Its new
// lines cannot be read.
func (t *Tailer) writtenAway(f *file) {
	t.addLoss(checkpoint.Loss{Path: f.last, From: f.read, Unknown: true})
	t.cfg.Log.Error("log written after it was moved out of the sources' directories, lines lost", "path", f.last, "inode", f.id.Inode, "hint", "add the directory that the log is moved to as a source")
	t.set.end(f)
}

// retire closes a file without a name that is finished. It returns false if it must be tried again.
func (t *Tailer) retire(ctx context.Context, f *file) bool {
	var st unix.Stat_t
	switch err := unix.Fstat(f.fd, &st); {
	case err == nil && st.Nlink > 0:
		return t.set.cool(f) // it was moved to where no source looks
	case err == nil && st.Size > f.size: // the next sweep reads it
		f.size, f.part = st.Size, false
		return false
	}
	if f.size > f.read && (!f.part || !t.sweeper.finishLine(ctx, f)) {
		return false
	}
	t.set.end(f)
	return true
}

// coldEvents opens the cold files that were written.
func (t *Tailer) coldEvents() error {
	overflowed, err := t.watch.drain(t.watch.cold, t.coldEvent)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	if overflowed {
		for _, f := range slices.Collect(maps.Values(t.set.coldBy)) {
			t.warm(f)
		}
	}
	return nil
}
