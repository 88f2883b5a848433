package history

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/ingest/segment/vfs"
)

// Config configures a Store.
type Config struct {
	FS  vfs.FS
	Dir string
	// MaxHosts is the limit of hosts with a history: 1 MB of disk and 4 kB of memory each. 0:
	// 2,000.
	MaxHosts int
	Log      *slog.Logger
}

const (
	defaultMaxHosts = 2000
	// evictAfter is the time without a write after which a host's file is removed for a new host.
	evictAfter = minuteSlots * time.Minute
	// maxElapsed is the longest time between two observations that counts as observed. In a
	// longer one the process did not run.
	maxElapsed = 30 * time.Second
)

// Observation is the state of a host at a time. Counters start at the start of the process.
type Observation struct {
	Host                             string
	ByClass                          [Classes]int64
	Bytes, ParseErrors               int64
	UntabledSeconds, UnstoredSeconds float64
	UnreadBytes                      int64
	Governor                         Governor
	Level                            Level
	// Reason is the reason why Level is not Okay.
	Reason string
}

// Store stores the history of hosts.
type Store struct {
	cfg      Config
	incoming chan observed
	failure  writeFailure

	mu       sync.Mutex // guards what follows
	hosts    map[string]*host
	files    int // files in the directory
	excluded int // hosts without a history because of MaxHosts
	evictAt  time.Time
}

type observed struct {
	at    time.Time
	hosts []Observation
}

// New returns a Store. Its directory need not exist yet.
func New(cfg Config) *Store {
	if cfg.MaxHosts == 0 {
		cfg.MaxHosts = defaultMaxHosts
	}
	s := &Store{cfg: cfg, incoming: make(chan observed, 1), hosts: map[string]*host{}}
	s.failure.log = cfg.Log
	names, err := cfg.FS.ReadDir(cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.failure.failed(time.Time{}, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			s.files++
		}
	}
	return s
}

// Offer passes the states of all hosts to Run. It never blocks: if Run is behind, the observation
// is dropped, and the next one contains its counts, since counters are cumulative.
func (s *Store) Offer(at time.Time, hosts []Observation) {
	select {
	case s.incoming <- observed{at, hosts}:
	default:
	}
}

// Run writes the offered observations until ctx is done, and then the present minute.
func (s *Store) Run(ctx context.Context) {
	var last time.Time
	for {
		select {
		case o := <-s.incoming:
			s.Observe(o.at, o.hosts)
			last = o.at
		case <-ctx.Done():
			if !last.IsZero() {
				s.flush(last, true)
			}
			return
		}
	}
}

// Observe adds the states of the hosts to the present minute and writes the minutes that are over.
// Run calls it. It must not be called at the same time as Run or by several goroutines.
func (s *Store) Observe(at time.Time, hosts []Observation) {
	s.flush(at, false)
	excluded := 0
	for i := range hosts {
		o := &hosts[i]
		h := s.host(at, o.Host)
		if h == nil {
			excluded++
			continue
		}
		s.mu.Lock()
		h.observe(at, o)
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if excluded > 0 && s.excluded == 0 {
		s.cfg.Log.Warn("history limit reached, new hosts have no history", "hosts", excluded, "limit", s.cfg.MaxHosts)
	}
	s.excluded = excluded
}

// host returns the state of a host, and loads it if it is new. nil: MaxHosts is reached.
func (s *Store) host(at time.Time, name string) *host {
	s.mu.Lock()
	h := s.hosts[name]
	s.mu.Unlock()
	if h != nil {
		return h
	}
	// Only the goroutine of Run adds hosts, so none is added while mu is not held.
	_, err := s.cfg.FS.Stat(s.path(name))
	if isNew := errors.Is(err, fs.ErrNotExist); isNew && !s.room(at) {
		return nil
	}
	h = newHost(name)
	if err == nil {
		s.load(at, h)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[name] = h
	return h
}

// load reads the history of earlier processes, if there is any.
func (s *Store) load(at time.Time, h *host) {
	f, err := s.openOrCreate(h.name)
	if err == nil {
		err = errors.Join(h.load(f, at), f.Close())
	}
	if err != nil {
		s.failure.failed(at, err)
	}
}

// room reports whether one more host can have a file. If MaxHosts is reached, the file that was not
// written for the longest time is removed if that is at least evictAfter ago.
func (s *Store) room(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files < s.cfg.MaxHosts || s.evict(at) {
		s.files++
		return true
	}
	return false
}

// evict removes the file that was not written for the longest time. It searches at most once a
// minute. s.mu is held.
func (s *Store) evict(at time.Time) bool {
	if at.Before(s.evictAt) {
		return false
	}
	s.evictAt = at.Add(time.Minute)
	active := map[string]bool{}
	for name, h := range s.hosts {
		if at.Sub(h.last) < evictAfter {
			active[fileName(name)] = true
		}
	}
	names, err := s.cfg.FS.ReadDir(s.cfg.Dir)
	if err != nil {
		return false
	}
	oldest, since := "", at.Add(-evictAfter)
	for _, name := range names {
		if !strings.HasSuffix(name, suffix) || active[name] {
			continue
		}
		path := s.cfg.Dir + string(os.PathSeparator) + name
		if info, err := s.cfg.FS.Stat(path); err == nil && info.ModTime().Before(since) {
			oldest, since = path, info.ModTime()
		}
	}
	if oldest == "" || s.cfg.FS.Remove(oldest) != nil {
		return false
	}
	maps.DeleteFunc(s.hosts, func(name string, _ *host) bool { return s.path(name) == oldest })
	s.files--
	return true
}

// flush writes the minutes that are over, or all minutes if all is set.
func (s *Store) flush(at time.Time, all bool) {
	s.mu.Lock()
	var due []*host
	for _, h := range s.hosts {
		if h.minute != 0 && (all || h.minute != minuteTable.slotOf(at)) {
			due = append(due, h)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(due, func(a, b *host) int { return strings.Compare(a.name, b.name) })
	var failed error
	for _, h := range due {
		if err := s.write(at, h); err != nil && failed == nil {
			failed = err
		}
	}
	switch {
	case failed != nil:
		s.failure.failed(at, failed)
	case len(due) > 0:
		s.failure.recovered(at)
	}
}

// write writes the present minute of a host and starts the next one.
func (s *Store) write(at time.Time, h *host) error {
	s.mu.Lock()
	p := h.take(at)
	s.mu.Unlock()
	f, err := s.openOrCreate(h.name)
	if err != nil {
		return err
	}
	return errors.Join(p.write(f), f.Close())
}
