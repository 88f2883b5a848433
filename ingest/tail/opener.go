package tail

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
)

// opener opens files when they are found, and cold ones when they were written.
type opener struct {
	*env
	contents    *contents
	set         *fileSet
	cooler      *cooler
	descriptors *descriptors
	identifier  *identifier
	searcher    *searcher
	sweeper     *sweeper
	lastPoll    time.Time
}

// admit begins to follow a file: it is opened, identified, and read in the sweeps while it grows.
func (op *opener) admit(f *file) {
	if !op.descriptors.open(f) {
		return
	}
	op.identifier.meet(f)
	op.cooler.settle(f)
}

// meetAll admits the files of the first listing: first those that are known by their inode, so that
// copies of them are recognized.
func (op *opener) meetAll() {
	var unknown []*file
	for _, f := range op.set.files {
		if !op.descriptors.open(f) {
			continue
		}
		start, err := op.contents.startOf(f)
		if err != nil {
			op.set.failed(f, err)
			continue
		}
		if op.cfg.Checkpoint.Logs.Find(op.cfg.Host, f.seen(start)) != nil {
			op.identifier.meet(f)
			op.cooler.settle(f)
			continue
		}
		op.set.to(f, stateFound)
		unknown = append(unknown, f)
	}
	op.searcher.findMissing()
	for _, f := range unknown {
		if f.stream == nil {
			op.admit(f)
		}
	}
}

// coldEvent handles one event of a cold file.
func (op *opener) coldEvent(e event) {
	f := op.set.coldBy[e.wd]
	if f == nil {
		return
	}
	delete(op.set.coldBy, e.wd)
	f.wd = -1 // a one-shot watch is removed when it fires
	if e.mask&unix.IN_MODIFY != 0 {
		op.warm(f)
		return
	}
	op.set.end(f) // the watch ended because the inode was deleted
}

// warm opens a file that was cold.
func (op *opener) warm(f *file) {
	if len(f.places) == 0 {
		op.writtenAway(f)
		return
	}
	if op.descriptors.open(f) {
		f.active = op.now
	}
}

// writtenAway handles a file that was written after it was moved to where no source looks. Its new
// lines cannot be read.
func (op *opener) writtenAway(f *file) {
	op.addLoss(checkpoint.Loss{Path: f.last, From: f.read, Unknown: true}, nil)
	op.cfg.Log.Error("log written after it was moved out of the sources' directories, lines lost", "path", f.last, "inode", f.id.Inode, "hint", "add the directory that the log is moved to as a source")
	op.set.end(f)
}

// coldEvents opens the cold files that were written.
func (op *opener) coldEvents() error {
	overflowed, err := op.watch.drain(op.watch.cold, op.coldEvent)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	if overflowed {
		for _, f := range slices.Collect(maps.Values(op.set.coldBy)) {
			op.warm(f)
		}
	}
	return nil
}
