package soak

import (
	"context"
	"math/rand/v2"
	"time"
)

// fault is a failure and its repair.
type fault struct {
	name string
	// claims are the daemons, or groups of them, that no other fault may touch at the same time.
	claims []string
	// weight is its relative frequency.
	weight int
	// maxHold is its maximum duration; 0: it has none.
	maxHold time.Duration
	// begin causes the fault, end repairs it; nil: there is nothing to repair. n is the event's
	// random number.
	begin func(ctx context.Context, w *world, n uint64) error
	end   func(ctx context.Context, w *world) error
}

// event is a fault at a time.
type event struct {
	// at is the time of the beginning since the start, hold the duration.
	at, hold time.Duration
	fault    *fault
	// n is a random number for begin and end.
	n uint64
}

const (
	// calm is the time before the first fault, so that something was written.
	calm = 5 * time.Second
	// minGap and maxGap limit the time between the beginnings of two faults: short enough that some
	// faults overlap, and long enough that something is written between most of them. (With half of
	// it nothing was written for minutes: HBase needs 20 s to recover from the death of a region
	// server.)
	minGap = 2 * time.Second
	maxGap = 30 * time.Second
	// settling is added to a fault's hold before its claims are free again.
	settling = 10 * time.Second
)

// drawPlan draws the events for a duration. The same seed gives the same plan.
func drawPlan(seed uint64, faults []fault, length time.Duration) []event {
	return planOf(seed, faults, length, maxGap)
}

// planOf is drawPlan with another maximum gap.
func planOf(seed uint64, faults []fault, length, maxGap time.Duration) []event {
	rng := rand.New(rand.NewPCG(seed, 0x736f616b))
	free := map[string]time.Duration{} // end of each claim
	var plan []event
	for at := calm; at < length; at += minGap + below(rng, maxGap-minGap) {
		f := draw(rng, faults, func(f *fault) bool {
			for _, c := range f.claims {
				if free[c] > at {
					return false
				}
			}
			return true
		})
		if f == nil {
			continue
		}
		e := event{at: at, fault: f, n: rng.Uint64()}
		if f.maxHold > 0 {
			e.hold = 500*time.Millisecond + below(rng, f.maxHold)
		}
		for _, c := range f.claims {
			free[c] = at + e.hold + settling
		}
		plan = append(plan, e)
	}
	return plan
}

// draw selects one of the permitted faults, by weight.
func draw(rng *rand.Rand, faults []fault, may func(*fault) bool) *fault {
	total := 0
	for i := range faults {
		if may(&faults[i]) {
			total += faults[i].weight
		}
	}
	if total == 0 {
		return nil
	}
	n := rng.IntN(total)
	for i := range faults {
		if !may(&faults[i]) {
			continue
		}
		if n -= faults[i].weight; n < 0 {
			return &faults[i]
		}
	}
	return nil
}

func below(rng *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(d)))
}
