package rpc

import (
	"context"
	"fmt"
	"time"

	"sluice/retry"
)

const (
	firstPause = 50 * time.Millisecond
	// maxPause bounds a pause: a region that moved is available after about a second, one of a dead
	// server after its session; neither should wait long for the next attempt.
	maxPause = 2 * time.Second
)

// Backoff is the pauses between attempts: longer each time, and randomized, so that clients of the
// same server do not retry together. The zero Backoff is at its first attempt, and has no limit.
type Backoff struct {
	// Limit bounds the time of failing attempts, from the start of the first; 0: none.
	Limit time.Duration
	// Attempts is the number of failed attempts.
	Attempts int

	pauses retry.Backoff
	began  time.Time
}

// UnreachableError is the error of a Backoff at its limit.
type UnreachableError struct {
	Waited   time.Duration
	Attempts int
	Err      error // of the last attempt that was not cut off
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("gave up after %s, attempts: %d: %v", e.Waited.Round(100*time.Millisecond), e.Attempts, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Begin must be called before an attempt. The first call starts the limited time.
func (b *Backoff) Begin() {
	if b.Attempts == 0 {
		b.began = time.Now()
	}
}

// Deadline returns a context with the end of the limit; without a limit it is ctx.
func (b *Backoff) Deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.Limit <= 0 {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, b.began.Add(b.Limit))
}

// Wait pauses after an attempt that failed with err. It returns ctx's error, or an
// *UnreachableError if the limit ends before the next attempt.
func (b *Backoff) Wait(ctx context.Context, err error) error {
	if b.Attempts == 0 {
		b.pauses = retry.Backoff{First: firstPause, Max: maxPause, Spread: true}
	}
	b.Attempts++
	pause := b.pauses.Next()
	if waited := time.Since(b.began); b.Limit > 0 && waited+pause >= b.Limit {
		return &UnreachableError{waited, b.Attempts, err}
	}
	return retry.Sleep(ctx, pause)
}
