package soak

import (
	"context"
	"math/rand/v2"
	"time"
)

// Fault is a failure and its repair.
type Fault struct {
	Name string
	// Claims are the daemons, or groups of them, that no other fault may touch at the same time.
	Claims []string
	// Weight is its relative frequency.
	Weight int
	// MaxHold is its maximum duration; 0: it has none.
	MaxHold time.Duration
	// Begin causes the fault, End repairs it; nil: there is nothing to repair. n is the event's
	// random number.
	Begin func(ctx context.Context, w *World, n uint64) error
	End   func(ctx context.Context, w *World) error
}

// Event is a fault at a time.
type Event struct {
	// At is the time of the beginning since the start, Hold the duration.
	At, Hold time.Duration
	Fault    *Fault
	// N is a random number for Begin and End.
	N uint64
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

// Plan draws the events for a duration. The same seed gives the same plan.
func Plan(seed uint64, faults []Fault, length time.Duration) []Event {
	return planOf(seed, faults, length, maxGap)
}

// planOf is Plan with another maximum gap.
func planOf(seed uint64, faults []Fault, length, maxGap time.Duration) []Event {
	rng := rand.New(rand.NewPCG(seed, 0x736f616b))
	free := map[string]time.Duration{} // end of each claim
	var plan []Event
	for at := calm; at < length; at += minGap + below(rng, maxGap-minGap) {
		f := draw(rng, faults, func(f *Fault) bool {
			for _, c := range f.Claims {
				if free[c] > at {
					return false
				}
			}
			return true
		})
		if f == nil {
			continue
		}
		e := Event{At: at, Fault: f, N: rng.Uint64()}
		if f.MaxHold > 0 {
			e.Hold = 500*time.Millisecond + below(rng, f.MaxHold)
		}
		for _, c := range f.Claims {
			free[c] = at + e.Hold + settling
		}
		plan = append(plan, e)
	}
	return plan
}

// draw selects one of the permitted faults, by weight.
func draw(rng *rand.Rand, faults []Fault, may func(*Fault) bool) *Fault {
	total := 0
	for i := range faults {
		if may(&faults[i]) {
			total += faults[i].Weight
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
		if n -= faults[i].Weight; n < 0 {
			return &faults[i]
		}
	}
	return nil
}

func below(rng *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(d)))
}
