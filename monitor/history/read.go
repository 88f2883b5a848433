package history

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Minutes returns one sample for each minute from from to to, both included. Covered is 0 if there
// is no sample. A minute is not in the file before it is over.
func (s *Store) Minutes(host string, from, to time.Time) ([]Sample, error) {
	return s.read(host, &minuteTable, from, to)
}

// Quarters returns one sample for each 15 minutes, like Minutes. Counts are sums over them.
func (s *Store) Quarters(host string, from, to time.Time) ([]Sample, error) {
	return s.read(host, &quarterTable, from, to)
}

// read reads one table of a host's file. Without a file all samples are absent.
func (s *Store) read(host string, t *table, from, to time.Time) ([]Sample, error) {
	first, end := t.slotOf(from), t.slotOf(to)+1
	if n := end - first; n <= 0 || n > t.slots {
		first = end - t.slots
	}
	f, err := open(s.cfg.FS, s.path(host), host, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return make([]Sample, end-first), nil
	}
	if err != nil {
		return nil, err
	}
	samples, err := t.read(f, first, end)
	return samples, errors.Join(err, f.Close())
}

// Changes returns the last changes of a host's state, the oldest first, including those that are
// not written yet.
func (s *Store) Changes(host string) ([]Change, error) {
	var changes []Change
	f, err := open(s.cfg.FS, s.path(host), host, os.O_RDONLY)
	if err == nil {
		changes, err = readChanges(f)
		err = errors.Join(err, f.Close())
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hosts[host]; h != nil {
		for _, c := range h.pending {
			if !slices.ContainsFunc(changes, func(x Change) bool { return x.number == c.number }) {
				changes = append(changes, c)
			}
		}
	}
	return changes, err
}

// Spark is the present state of a host and its traffic of the last day.
type Spark struct {
	// Since is when the present state began. Zero: unknown.
	Since time.Time
	Level Level
	// Today and LastWeek are lines per second for each quarter of an hour of the last 24 hours,
	// and of the same hours a week before. Negative: no sample.
	Today, LastWeek [dayQuarters]float32
	// Lines, ParseErrors and Failed (status 5xx) count the lines of the last 24 hours.
	Lines, ParseErrors, Failed int64
}

// Sparks returns the Spark of each observed host. It reads memory only.
func (s *Store) Sparks(at time.Time) map[string]*Spark {
	present := quarterTable.slotOf(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]*Spark, len(s.hosts))
	for name, h := range s.hosts {
		x := &Spark{Level: h.state.Level}
		if h.known {
			x.Since = h.state.At
		}
		for i := range dayQuarters {
			q := present - int64(dayQuarters-1-i)
			x.Today[i], x.LastWeek[i] = h.rate(q), h.rate(q-7*dayQuarters)
			if x.Today[i] >= 0 {
				x.Lines += value(h.lines[q%sparkQuarters])
				x.ParseErrors += value(h.errors[q%dayQuarters])
				x.Failed += value(h.failed[q%dayQuarters])
			}
		}
		all[name] = x
	}
	return all
}

// rate returns the lines per second of a quarter of an hour. Negative: no sample.
func (h *host) rate(q int64) float32 {
	if q > h.newest || q <= h.newest-sparkQuarters {
		return -1
	}
	i := q % sparkQuarters
	if h.lines[i] == absent || h.minutes[i] == 0 {
		return -1
	}
	return float32(value(h.lines[i])) / float32(h.minutes[i]) / 60
}

// Excluded returns the number of hosts without a history because of Config.MaxHosts.
func (s *Store) Excluded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.excluded
}
