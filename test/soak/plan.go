package soak

import (
	"context"
	"math/rand/v2"
	"time"
)

// Fault is one thing that goes wrong, and how it is mended.
type Fault struct {
	Name string
	// Claims are the daemons, or the groups of them, that no other fault may touch
	// meanwhile.
	Claims []string
	// Weight is how often it comes, beside the others.
	Weight int
	// MaxHold is how long it lasts at most; 0: it has no end to be waited for.
	MaxHold time.Duration
	// Begin does it, End mends it; nil: nothing is to be mended. n is the event's
	// own random number.
	Begin func(ctx context.Context, w *World, n uint64) error
	End   func(ctx context.Context, w *World) error
}

// Event is a fault at its time.
type Event struct {
	// At is when it begins, Hold how long it lasts.
	At, Hold time.Duration
	Fault    *Fault
	// N is what it draws from, if it draws.
	N uint64
}

const (
	// calm is before the first fault: something must have been written.
	calm = 5 * time.Second
	// minGap and maxGap are between two beginnings: little enough that some faults
	// meet, and enough that between most of them something is written. (With half of
	// it nothing was for minutes: HBase needs 20 s after a region server's death.)
	minGap = 2 * time.Second
	maxGap = 30 * time.Second
	// settling is added to a fault's hold, until what it claimed is said to be free
	// again.
	settling = 10 * time.Second
)

// Plan draws the events of so long a time. The same seed gives the same plan.
func Plan(seed uint64, faults []Fault, length time.Duration) []Event {
	return planOf(seed, faults, length, maxGap)
}

// planOf is Plan with another greatest gap between two beginnings.
func planOf(seed uint64, faults []Fault, length, maxGap time.Duration) []Event {
	rng := rand.New(rand.NewPCG(seed, 0x736f616b))
	free := map[string]time.Duration{} // when a claim ends
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

// draw takes one of those that may be taken, by weight.
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
