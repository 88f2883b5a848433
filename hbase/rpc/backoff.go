package rpc

import (
	"context"
	"fmt"
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
// first, and has no limit.
type Backoff struct {
	// Limit is how long attempts may fail, from the begin of the first; 0: for ever.
	Limit time.Duration
	// Attempts is how many have failed.
	Attempts int

	began time.Time
}

// UnreachableError is the end of a Backoff with a limit.
type UnreachableError struct {
	Waited   time.Duration
	Attempts int
	Err      error // of the last attempt that was not cut short
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("gave up after %s, attempts: %d: %v", e.Waited.Round(100*time.Millisecond), e.Attempts, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Begin is called before an attempt. The first one begins the time that is limited.
func (b *Backoff) Begin() {
	if b.Attempts == 0 {
		b.began = time.Now()
	}
}

// Deadline is the end of the limit; without one it is ctx as it is.
func (b *Backoff) Deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.Limit <= 0 {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, b.began.Add(b.Limit))
}

// Wait pauses after an attempt that failed with err. Its error is ctx's, or an
// *UnreachableError when the limit is over before the next attempt.
func (b *Backoff) Wait(ctx context.Context, err error) error {
	pause := maxPause
	if b.Attempts < 6 {
		pause = min(maxPause, firstPause<<b.Attempts)
	}
	b.Attempts++
	pause = pause/2 + rand.N(pause/2+1)
	if waited := time.Since(b.began); b.Limit > 0 && waited+pause >= b.Limit {
		return &UnreachableError{waited, b.Attempts, err}
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
