package collector

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/retry"
)

// spooled is a segment in the spool, from its first member until it is stored and removed.
type spooled struct {
	name segment.Name
	// labels are the labels of its first lines. Those of the other lines are of the same group
	// (Naming).
	labels map[string]string
	// use is read-locked to append, to sync and to open the file, and write-locked to seal and
	// to rename it.
	use sync.RWMutex
	// writer is nil once the segment is sealed. It is written with use, spool.mu and mu locked,
	// so each of them is enough to read it.
	writer *segment.Writer

	pause       retry.Backoff // owned by the goroutine that archives it
	columnPause retry.Backoff // owned by the goroutine that stores its Parquet file

	mu       sync.Mutex // guards what follows
	path     string     // current path of the file
	bytes    int64
	batches  []*spooledBatch
	fresh    []*spooledBatch // spooled batches that are not synced yet
	untabled int             // number of spooled batches whose rows have not been put
	broken   bool            // a write or a sync failed
	archived bool
	// columnsEnded is true if no more chunks come for its Parquet file, columned if Columns has
	// that file.
	columnsEnded, columned bool
	sealedAt               time.Time
	stored                 bool
	storedAt               time.Time
	ticks                  growth
	zone                   int32 // westernmost zone of its lines, seconds east of UTC
	zoned                  bool  // zone is known

	// columnsPath is the path of its complete Parquet file in the spool. "": the file must be made
	// from the segment. It is owned by the goroutine that fills the file, then by the one that
	// stores it.
	columnsPath string
}

// growth is the size of a segment at the last tick, and the times of the ticks that saw it first
// and that last saw it grow.
type growth struct {
	bytes         int64
	opened, grown time.Time
}

func newSpooled(name segment.Name, labels map[string]string) *spooled {
	return &spooled{name: name, labels: labels, pause: newBackoff(), columnPause: newBackoff()}
}

// add records a spooled batch that was appended. zone is the zone of its lines. wantsRows is true
// if its rows are to be put.
func (sp *spooled) add(p *spooledBatch, zone int32, wantsRows bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.batches = append(sp.batches, p)
	sp.fresh = append(sp.fresh, p)
	if p.tabled = !wantsRows; wantsRows {
		sp.untabled++
	}
	if !sp.zoned || zone < sp.zone {
		sp.zone, sp.zoned = zone, true
	}
	sp.bytes += p.member.Bytes
}

// synced removes the spooled batches that end within the first size bytes of the file from fresh,
// and returns them.
func (sp *spooled) synced(size int64) (synced []*spooledBatch) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	kept := sp.fresh[:0]
	for _, p := range sp.fresh {
		if p.member.End() > size {
			kept = append(kept, p)
		} else {
			synced = append(synced, p)
		}
	}
	clear(sp.fresh[len(kept):])
	sp.fresh = kept
	return synced
}

// drop removes the spooled batches for which kept returns false, and returns them.
func (sp *spooled) drop(kept func(*spooledBatch) bool) (dropped []*spooledBatch) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	left := []*spooledBatch{}
	for _, p := range sp.batches {
		if kept(p) {
			left = append(left, p)
			continue
		}
		p.dropped = true
		if !p.tabled {
			sp.untabled--
		}
		sp.bytes -= p.member.Bytes
		dropped = append(dropped, p)
	}
	sp.batches = left
	return dropped
}

// setTabled records that a spooled batch's rows were put.
func (p *spooledBatch) setTabled() {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.tabled = true
	if !p.dropped {
		p.in.untabled--
	}
}

// state returns whether a spooled batch was dropped, and whether its segment has yet to be
// recovered after a failed write or sync.
func (p *spooledBatch) state() (dropped, waits bool) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.dropped, p.in.broken && p.in.writer != nil
}

// content returns a copy of the current list of spooled batches.
func (sp *spooled) content() []*spooledBatch {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return slices.Clone(sp.batches)
}

// count returns the number of the segment's spooled batches.
func (sp *spooled) count() int {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return len(sp.batches)
}

// size returns the length of the segment in bytes.
func (sp *spooled) size() int64 {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.bytes
}

// file returns the current path of the file.
func (sp *spooled) file() string {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.path
}

// open opens the segment's file. It waits while the file is renamed.
func (sp *spooled) open(fsys vfs.FS) (vfs.File, error) {
	sp.use.RLock()
	defer sp.use.RUnlock()
	return fsys.OpenFile(sp.file(), os.O_RDONLY, 0)
}

// age returns whether the segment is stored, for how long, and the current path of the file.
func (sp *spooled) age(now time.Time) (stored bool, age time.Duration, path string) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.stored, now.Sub(sp.storedAt), sp.path
}

// isStored reports whether the segment's lines are recorded as stored in the checkpoint.
func (sp *spooled) isStored() bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.stored
}

// isArchived reports whether the archive has the segment.
func (sp *spooled) isArchived() bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.archived
}

// isBroken reports whether a write or a sync failed.
func (sp *spooled) isBroken() bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.broken
}

// set calls change with mu locked.
func (sp *spooled) set(change func()) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	change()
}

// remove deletes a file. It is not an error if the file does not exist.
func remove(fsys vfs.FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
