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

// spool holds the segments: those that are open, those that are to be archived, and those that are
// kept until they are stored. It also counts what each host has of them. Appender, syncer and
// sealer work on their files. It is safe for concurrent use.
type spool struct {
	cfg     *Config
	life    *lifecycle
	streams *streams
	rolled  chan *spooled // to the goroutines that archive

	mu   sync.Mutex // guards what follows
	open map[segmentKey]*spooled
	// opened counts the open segments by host.
	opened map[string]int
	// writers counts the segments that are not sealed. Each has an open file.
	writers int
	due     []*spooled // rolled, and not yet passed to the goroutines that archive
	kept    []*spooled // rolled, and not removed yet
	quota   quota
	dates   dates
	dropped int // number of spooled batches that a failing disk lost
}

// segmentKey is what the lines of a segment have in common, because they are archived in one
// directory. group is the group of their labels (Naming).
type segmentKey struct{ host, period, group string }

func newSpool(cfg *Config, life *lifecycle, streams *streams) *spool {
	return &spool{
		cfg: cfg, life: life, streams: streams, rolled: make(chan *spooled, cfg.Uploads),
		open: map[segmentKey]*spooled{}, opened: map[string]int{},
		quota: quota{cfg: cfg, hosts: map[string]*share{}}, dates: dates{cfg: cfg, begun: map[string]*begun{}},
	}
}

// segment returns the open segment of a key. If there is none, it creates one for lines with
// labels. The error wraps ErrBusy if the host may begin no more segments now or, if the collector
// retries failures, if the disk fails.
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

// roll rolls the open segments that are at least minBytes long: no more is appended to them, and
// they are archived.
func (s *spool) roll(minBytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rollIf(func(sp *spooled) bool { return sp.size() >= minBytes })
}

// rollOld rolls the open segments that a tick first saw interval ago, or whose size last changed
// idle ago. 0: never.
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

// rollBroken rolls a segment after a failed write or sync.
func (s *spool) rollBroken(broken *spooled) {
	broken.set(func() { broken.broken = true })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rollIf(func(sp *spooled) bool { return sp == broken })
}

// rollHost rolls the open segments of a host.
func (s *spool) rollHost(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rollIf(ofHost(host))
}

// ofHost returns a condition for rollIf: all segments of a host.
func ofHost(host string) func(*spooled) bool {
	return func(sp *spooled) bool { return sp.name.Host == host }
}

// rollIf rolls the open segments for which due returns true. s.mu must be held.
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

// feed passes rolled segments to the goroutines that archive, as long as the channel has room. s.mu
// must be held.
func (s *spool) feed() {
	for len(s.due) > 0 {
		select {
		case s.rolled <- s.due[0]:
			s.due = s.due[1:]
		default:
			return // the goroutine that has archived one calls feedMore
		}
	}
}

// feedMore calls feed after a segment was archived. again, if not nil, is a segment that must be
// archived again.
func (s *spool) feedMore(again *spooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if again != nil {
		s.due = append(s.due, again)
	}
	s.feed()
}

// rolledSegments returns the segments that were rolled and not removed yet.
func (s *spool) rolledSegments() []*spooled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kept)
}

// all returns the open segments and those that were rolled and not removed yet. s.mu must be held.
func (s *spool) all() []*spooled {
	return append(slices.Collect(maps.Values(s.open)), s.kept...)
}

// segments returns all segments.
func (s *spool) segments() []*spooled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all()
}

// hasRoom reports whether there is room to keep stored segments only to compare batches of sparse
// streams with them.
func (s *spool) hasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	batches := 0
	for _, sp := range s.kept {
		batches += sp.count()
	}
	return batches < maxKeptBatches && (s.cfg.SpoolMaxBytes == 0 || s.quota.bytes < s.cfg.SpoolMaxBytes/2)
}

// drop removes a segment from the list, because its file was removed or it has no lines.
func (s *spool) drop(sp *spooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = slices.DeleteFunc(s.kept, func(o *spooled) bool { return o == sp })
	batches := sp.content()
	s.quota.grow(sp.name.Host, -sp.size(), -int64(len(batches)))
	s.streams.release(batches)
}

// close closes the files of the segments that are not sealed. The next process recovers them.
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
