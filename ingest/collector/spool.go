package collector

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sluice/ingest/segment"
)

// spool has the segments: which are open, to be archived, and kept until they are stored, and
// what hosts have of them. Appender, syncer and sealer work on their files. It is safe for
// concurrent use.
type spool struct {
	cfg     *Config
	life    *lifecycle
	streams *streams
	rolled  chan *spooled // to the goroutines that archive

	mu   sync.Mutex // guards what follows
	open map[segmentKey]*spooled
	// opened counts them by host.
	opened map[string]int
	// writers counts the segments that are not sealed: each has its file open.
	writers int
	due     []*spooled // rolled, and not yet given to those who archive
	kept    []*spooled // rolled, not removed
	quota   quota
	dates   dates
	dropped int // pieces that a failing disk did not keep
}

// segmentKey is what the lines of a segment have in common: they go to one directory of the
// archive. The group is that of their labels (Naming).
type segmentKey struct{ host, period, group string }

func newSpool(cfg *Config, life *lifecycle, streams *streams) *spool {
	return &spool{
		cfg: cfg, life: life, streams: streams, rolled: make(chan *spooled, cfg.Uploads),
		open: map[segmentKey]*spooled{}, opened: map[string]int{},
		quota: quota{cfg: cfg, hosts: map[string]*share{}}, dates: dates{cfg: cfg, begun: map[string]*begun{}},
	}
}

// segment returns the open segment of a key, created if there is none, for lines with labels.
func (s *spool) segment(key segmentKey, labels map[string]string) (*spooled, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.open[key]; sp != nil {
		return sp, nil
	}
	if err := s.dates.mayBegin(key); err != nil {
		return nil, err
	}
	sp := newSpooled(segment.Name{Host: key.host, Period: key.period, Seq: s.cfg.Checkpoint.NextSeq()}, labels)
	w, err := segment.Create(s.cfg.FS, filepath.Join(s.cfg.SpoolDir, filepath.FromSlash(sp.name.String())))
	if err != nil {
		return nil, s.life.spoolFailed(err)
	}
	sp.writer, sp.path = w, w.Path()
	s.open[key] = sp
	s.opened[key.host]++
	s.writers++
	return sp, nil
}

// roll ends the open segments that are at least minBytes long.
func (s *spool) roll(minBytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rollIf(func(sp *spooled) bool { return sp.size() >= minBytes })
}

// rollOld ends the open segments whose first line came interval ago, or whose
// last one came idle ago; 0 is never.
func (s *spool) rollOld(now time.Time, interval, idle time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dates.forget()
	s.rollIf(func(sp *spooled) bool {
		sp.mu.Lock()
		defer sp.mu.Unlock()
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
	broken.set(func() { broken.broken = true })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rollIf(func(sp *spooled) bool { return sp == broken })
}

// ofHost is for rollIf: all of a host.
func ofHost(host string) func(*spooled) bool {
	return func(sp *spooled) bool { return sp.name.Host == host }
}

// rollIf ends open segments. s.mu is held.
func (s *spool) rollIf(due func(*spooled) bool) {
	for key, sp := range s.open {
		if due(sp) {
			delete(s.open, key)
			if s.opened[sp.name.Host]--; s.opened[sp.name.Host] == 0 {
				delete(s.opened, sp.name.Host)
			}
			s.due = append(s.due, sp)
			s.kept = append(s.kept, sp)
		}
	}
	s.feed()
}

// feed gives segments that were rolled to the goroutines that archive, as far as these have
// room. s.mu is held.
func (s *spool) feed() {
	for len(s.due) > 0 {
		select {
		case s.rolled <- s.due[0]:
			s.due = s.due[1:]
		default:
			return // whoever finishes one feeds the next
		}
	}
}

// feedMore is feed after one was archived. again is a segment that has to be archived again; nil:
// none.
func (s *spool) feedMore(again *spooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if again != nil {
		s.due = append(s.due, again)
	}
	s.feed()
}

// rolledSegments returns the segments that were rolled and not removed.
func (s *spool) rolledSegments() []*spooled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kept)
}

// all returns the open segments and those that were rolled and not removed. s.mu is held.
func (s *spool) all() []*spooled {
	return append(slices.Collect(maps.Values(s.open)), s.kept...)
}

// segments returns all segments.
func (s *spool) segments() []*spooled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all()
}

// roomy reports whether segments may be kept that are only compared with.
func (s *spool) roomy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pieces := 0
	for _, sp := range s.kept {
		pieces += sp.count()
	}
	return pieces < maxKeptPieces && (s.cfg.SpoolMaxBytes == 0 || s.quota.bytes < s.cfg.SpoolMaxBytes/2)
}

// drop takes a segment off the list whose file was removed, or that has no lines.
func (s *spool) drop(sp *spooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = slices.DeleteFunc(s.kept, func(o *spooled) bool { return o == sp })
	pieces := sp.content()
	s.quota.grow(sp.name.Host, -sp.size(), -int64(len(pieces)))
	s.streams.release(pieces)
}

// close closes the files of segments that are open; the next process recovers them.
func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, sp := range s.all() {
		if sp.writer != nil {
			errs = append(errs, sp.writer.Close())
		}
	}
	return errors.Join(errs...)
}
