// Package retry has what retried operations share: the pauses between attempts (Backoff), and the
// list of the operations that are being retried, with their log messages (Registry).
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff calculates the pauses between attempts. Set First and Max. It is not safe for concurrent
// use.
type Backoff struct {
	// First is the first pause; each pause is twice the one before it, up to Max.
	First, Max time.Duration
	// Spread takes up to half of each pause away at random, so that clients of the same server do
	// not retry together.
	Spread bool

	last time.Duration
}

// Next returns the next pause.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.First), b.Max)
	if b.Spread {
		return b.last/2 + rand.N(b.last/2+1)
	}
	return b.last
}

// Reset makes the next pause the first one again.
func (b *Backoff) Reset() { b.last = 0 }

// Wait waits for the next pause. It returns ctx's error if ctx ends before that.
func (b *Backoff) Wait(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Sleep waits for d. It returns ctx's error if ctx ends before that.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
