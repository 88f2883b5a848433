package collector

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/retry"
)

// spooled is a segment on our own disk, from its first member until it is in
// the archive and the checkpoint says so.
type spooled struct {
	name segment.Name
	// labels are those of its first lines; those of the others are of the same group.
	labels map[string]string
	// use is held for reading by those who append or sync, for writing by the one
	// who seals.
	use    sync.RWMutex
	writer *segment.Writer // nil once sealed

	pause       retry.Backoff // the one who finishes it owns it
	columnPause retry.Backoff // the one who stores its Parquet file owns it

	// Under Collector.mu:
	path     string // the file's present name
	bytes    int64
	pieces   []*piece
	fresh    []*piece // not synced
	untabled int      // pieces whose rows were not put
	broken   bool     // a write or a sync failed
	archived bool
	// columnsEnded: no more chunks come for its Parquet file. columnsPath is that file on
	// our disk, complete; "": it has to be made from the segment. columned: Columns has it.
	columnsEnded bool
	columnsPath  string
	columned     bool
	sealedAt     time.Time
	stored       bool
	storedAt     time.Time
	ticks        age
	zone         int32 // the westernmost of its lines', seconds east of UTC
	zoned        bool  // zone is known
}

// age is when a segment was first and last seen to grow, as ticks tell.
type age struct {
	bytes         int64
	opened, grown time.Time
}

// spool is the folder of segments. Its methods want Collector.mu.
type spool struct {
	fsys vfs.FS
	dir  string
	open map[segmentKey]*spooled
	// opened counts them by host.
	opened map[string]int
	// writers counts the segments that are not sealed: each has its file open.
	writers int
	due     []*spooled // rolled, and not yet given to those who finish
	held    []*spooled // rolled, not forgotten
	bytes   int64      // of all files
	// pieces are those of all files, hosts what each host has of both.
	pieces int64
	hosts  map[string]*share
}

// segmentKey is what the lines of a segment have in common: they go to one directory of the
// archive. The group is that of their labels (Naming).
type segmentKey struct{ host, period, group string }

// share is what one host has in the spool.
type share struct {
	bytes, pieces int64
	overSince     time.Time // since when batches of it wait for its own room; zero: they do not
}

// grow notes that a segment has so much more.
func (s *spool) grow(sp *spooled, bytes, pieces int64) {
	s.bytes += bytes
	s.pieces += pieces
	host := s.share(sp.name.Host)
	host.bytes += bytes
	host.pieces += pieces
	if host.pieces <= 0 && host.bytes <= 0 {
		delete(s.hosts, sp.name.Host)
	}
}

func (s *spool) share(host string) *share {
	x := s.hosts[host]
	if x == nil {
		x = new(share)
		s.hosts[host] = x
	}
	return x
}

// segment returns the open segment of a key, made where there is none, for lines with labels.
func (s *spool) segment(key segmentKey, labels map[string]string, seq func() uint64) (*spooled, error) {
	if sp := s.open[key]; sp != nil {
		return sp, nil
	}
	sp := &spooled{name: segment.Name{Host: key.host, Period: key.period, Seq: seq()}, labels: labels, pause: newBackoff(), columnPause: newBackoff()}
	w, err := segment.Create(s.fsys, filepath.Join(s.dir, filepath.FromSlash(sp.name.String())))
	if err != nil {
		return nil, err
	}
	sp.writer, sp.path = w, w.Path()
	s.open[key] = sp
	s.opened[key.host]++
	s.writers++
	return sp, nil
}

// unsealed returns a segment that was rolled and is not sealed, or nil.
func (s *spool) unsealed() *spooled {
	for _, sp := range s.held {
		if sp.writer != nil {
			return sp
		}
	}
	return nil
}

// roll ends the open segments that are at least minBytes long.
func (s *spool) roll(minBytes int64) {
	s.rollIf(func(sp *spooled) bool { return sp.bytes >= minBytes })
}

// rollOld ends the open segments whose first line came interval ago, or whose
// last one came idle ago; 0 is never.
func (s *spool) rollOld(now time.Time, interval, idle time.Duration) {
	s.rollIf(func(sp *spooled) bool {
		a := &sp.ticks
		if a.opened.IsZero() {
			a.opened, a.grown = now, now
		}
		if sp.bytes != a.bytes {
			a.bytes, a.grown = sp.bytes, now
		}
		return interval > 0 && now.Sub(a.opened) >= interval || idle > 0 && now.Sub(a.grown) >= idle
	})
}

// rollBroken ends a segment that cannot be written any more.
func (s *spool) rollBroken(broken *spooled) {
	broken.broken = true
	s.rollIf(func(sp *spooled) bool { return sp == broken })
}

func (s *spool) rollIf(due func(*spooled) bool) {
	for key, sp := range s.open {
		if due(sp) {
			delete(s.open, key)
			if s.opened[sp.name.Host]--; s.opened[sp.name.Host] == 0 {
				delete(s.opened, sp.name.Host)
			}
			s.due = append(s.due, sp)
			s.held = append(s.held, sp)
		}
	}
}

// close lets go of the files of segments that are open; the next life recovers
// them.
func (s *spool) close() error {
	var errs []error
	for _, list := range [][]*spooled{slices.Collect(maps.Values(s.open)), s.held} {
		for _, sp := range list {
			if sp.writer != nil {
				errs = append(errs, sp.writer.Close())
			}
		}
	}
	return errors.Join(errs...)
}

// drop takes a segment that holds nothing any more off the list.
func (s *spool) drop(sp *spooled) {
	s.held = slices.DeleteFunc(s.held, func(o *spooled) bool { return o == sp })
	s.grow(sp, -sp.bytes, -int64(len(sp.pieces)))
	for _, p := range sp.pieces {
		p.stream.held--
	}
}

// remove deletes a segment's file.
func (s *spool) remove(path string) error {
	if err := s.fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
