package rpc

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 50 * time.Millisecond
	// maxPause: a region that moved is served again after a second, one of a dead
	// server after its session; neither should find us asleep for long.
	maxPause = 2 * time.Second
)

// Backoff is the pauses between attempts at one thing: longer each time, and
// never the same for all who wait for the same server. The zero Backoff is at its
// first.
type Backoff struct{ Attempts int }

// Wait pauses; it ends with ctx.
func (b *Backoff) Wait(ctx context.Context) error {
	pause := maxPause
	if b.Attempts < 6 {
		pause = min(maxPause, firstPause<<b.Attempts)
	}
	b.Attempts++
	t := time.NewTimer(pause/2 + rand.N(pause/2+1))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
