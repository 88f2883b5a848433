package watch

import (
	"sync"
	"time"
)

const (
	// AdvanceInterval is the time between two calls of Advance.
	AdvanceInterval = time.Second
	// maxStep is the longest time between two calls that counts as awake. In a longer one the
	// process did not run: a suspended machine, SIGSTOP, a frozen cgroup.
	maxStep = 10 * time.Second
	// maxFreezes is the number of such times that are kept.
	maxFreezes = 16
)

// Awake counts the time in which the process ran. Its methods may be called by several
// goroutines. The times passed to it must have a monotonic part, so that a change of the wall
// clock is not counted.
type Awake struct {
	mu      sync.Mutex
	last    time.Time
	counted time.Duration
	freezes []freeze // the latest last
}

// freeze is a time in which the process did not run.
type freeze struct {
	until time.Time
	time.Duration
}

// NewAwake returns a clock that starts now.
func NewAwake(now time.Time) *Awake { return &Awake{last: now} }

// Advance counts the time since the last call. It must be called every AdvanceInterval.
func (a *Awake) Advance(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(now)
}

func (a *Awake) advance(now time.Time) {
	step := now.Sub(a.last)
	if step <= 0 {
		return
	}
	if frozen := step - AdvanceInterval; step > maxStep {
		step = AdvanceInterval
		a.freezes = append(a.freezes, freeze{now, frozen})
		a.freezes = a.freezes[max(0, len(a.freezes)-maxFreezes):]
	}
	a.counted += step
	a.last = now
}

// Time returns the counted time.
func (a *Awake) Time(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(now)
	return a.counted
}

// Frozen returns how long the process did not run between now-age and now.
func (a *Awake) Frozen(now time.Time, age time.Duration) (frozen time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(now)
	for _, f := range a.freezes {
		if since := now.Sub(f.until); since < age {
			frozen += min(f.Duration, age-since)
		}
	}
	return frozen
}
