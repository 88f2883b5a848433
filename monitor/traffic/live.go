package traffic

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sluice/monitor/history"
)

// History provides the number of lines of a host for each quarter of an hour.
type History interface {
	Quarters(host string, from, to time.Time) ([]history.Sample, error)
}

// Live watches the hosts of a collector. Run and look must not be called at the same time; Low may
// be called at any time.
type Live struct {
	history History
	log     *slog.Logger
	watch   *watch
	slot    int64 // the last slot that was judged; 0: none

	mu  sync.Mutex
	low map[string]Finding
}

// NewLive returns a Live that reads from h.
func NewLive(h History, log *slog.Logger) *Live {
	return &Live{history: h, log: log, watch: newWatch()}
}

const (
	quarter = 15 * time.Minute
	// settled is the time after a quarter of an hour until the history contains all of it.
	settled = 2 * time.Minute
	// leastCovered is the number of the 15 minutes that must have been observed.
	leastCovered = 10
	// replayed is the number of slots that are judged again at a start, to calculate deviations.
	replayed = residuals + day
	// lookInterval is the time between two calls of look.
	lookInterval = time.Minute
)

// Run calls look every lookInterval until ctx is done. hosts returns the present hosts.
func (l *Live) Run(ctx context.Context, hosts func() []string) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		l.look(time.Now(), hosts())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// look judges each quarter of an hour that is over, once. The first call reads five weeks of the
// history.
func (l *Live) look(now time.Time, hosts []string) {
	last := now.Add(-settled).Unix()/int64(quarter.Seconds()) - 1
	if l.slot == 0 {
		l.replay(last, hosts)
	}
	for slot := max(l.slot+1, last-day); slot <= last; slot++ {
		lines := map[string]float32{}
		for _, name := range hosts {
			if !l.watch.known(name) {
				first := slot - remembered + 1
				l.watch.load(name, first, l.lines(name, first, slot-1))
			}
			if n := l.lines(name, slot, slot); n[0] >= 0 {
				lines[name] = n[0]
			}
		}
		l.watch.Observe(slot, lines)
	}
	if l.slot == last {
		return
	}
	l.slot = last
	low := l.watch.low()
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, f := range low {
		if _, known := l.low[name]; !known {
			l.log.Warn("host sends fewer lines than expected", "host", name, "reason", f.String())
		}
	}
	for name := range l.low {
		if _, still := low[name]; !still {
			l.log.Info("host sends as many lines as expected", "host", name)
		}
	}
	l.low = low
}

// replay judges the last replayed slots again, with the weeks before them.
func (l *Live) replay(last int64, hosts []string) {
	first := last - replayed + 1
	recent := map[string][]float32{}
	for _, name := range hosts {
		before := first - remembered
		all := l.lines(name, before, last)
		l.watch.load(name, before, all[:first-before])
		recent[name] = all[first-before:]
	}
	for slot := first; slot <= last; slot++ {
		lines := map[string]float32{}
		for name, all := range recent {
			if n := all[slot-first]; n >= 0 {
				lines[name] = n
			}
		}
		l.watch.Observe(slot, lines)
	}
	l.slot = last
	l.mu.Lock()
	defer l.mu.Unlock()
	l.low = l.watch.low()
}

// lines returns the lines of a host in the slots from first to last. Negative: not observed, or
// the history cannot be read, which the history reports itself.
func (l *Live) lines(host string, first, last int64) []float32 {
	lines := make([]float32, last-first+1)
	for i := range lines {
		lines[i] = -1
	}
	at := func(slot int64) time.Time { return time.Unix(slot*int64(quarter.Seconds()), 0) }
	samples, err := l.history.Quarters(host, at(first), at(last))
	if err != nil || len(samples) != len(lines) {
		return lines
	}
	for i := range samples {
		if s := &samples[i]; s.Covered >= leastCovered {
			lines[i] = float32(s.Lines()) * 15 / float32(min(s.Covered, 15))
		}
	}
	return lines
}

// Low returns the hosts that are low, with their findings. The caller must not change the map.
func (l *Live) Low() map[string]Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.low
}
