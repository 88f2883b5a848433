package rpc

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestABackoffEndsAtItsLimit: not before, not after the next pause, and never without one.
func TestABackoffEndsAtItsLimit(t *testing.T) {
	failed := errors.New("refused")
	for _, limit := range []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			b, began := Backoff{Limit: limit}, time.Now()
			var err error
			for err == nil {
				b.Begin()
				err = b.Wait(t.Context(), failed)
			}
			var end *UnreachableError
			if !errors.As(err, &end) || !errors.Is(err, failed) || end.Attempts != b.Attempts || end.Waited != time.Since(began) {
				t.Errorf("limit %s: %v after %s", limit, err, time.Since(began))
			}
			if took := time.Since(began); took > limit || took < limit-maxPause {
				t.Errorf("limit %s: it took %s", limit, took)
			}
			if Classify(err) != GiveUp {
				t.Error("it is tried again")
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var b Backoff
		for range 10_000 {
			b.Begin()
			if err := b.Wait(t.Context(), failed); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestABackoffBeginsWithTheFirstAttempt: neither the time before it counts, nor the time after a
// success (a new Backoff).
func TestABackoffBeginsWithTheFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Limit: time.Minute}
		b.Begin()
		time.Sleep(time.Hour) // a successful attempt, and no failure yet
		b.Begin()
		if err := b.Wait(t.Context(), errors.New("refused")); err != nil {
			t.Error(err)
		}
		ctx, cancel := b.Deadline(t.Context())
		defer cancel()
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Minute {
			t.Errorf("the deadline is %v", end)
		}
		ended, stop := context.WithCancel(t.Context())
		stop()
		if err := b.Wait(ended, errors.New("refused")); !errors.Is(err, context.Canceled) {
			t.Errorf("an interrupt: %v", err)
		}
	})
}
