package avrorpc

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/semaphore"
)

// idle returns a client without goroutines. It permits one call, so that settling a call twice
// panics.
func idle() *Client {
	return &Client{options: ClientOptions{Bytes: 1}, pending: map[int32]*Pending{}, broken: make(chan struct{}), queued: make(chan struct{}, 1),
		count: semaphore.NewWeighted(1), bytes: semaphore.NewWeighted(1)}
}

// A call is settled once if its reply arrives in the moment in which it was written and its caller
// gives up.
func TestAnAbandonedCallIsCompletedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := idle()
		for range 1000 {
			p, err := c.Start(t.Context(), "append", nil, []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			batch := c.takeQueue(nil)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { _, err := p.Wait(ctx, nil); ended <- err }()
			cancel()
			synctest.Wait() // until it waits for the write
			c.wrote(batch)
			c.end(p, nil, nil)
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	})
}

// A call that was not written is settled once if its caller gives up while the connection fails.
func TestACallThatWasNotWrittenIsCompletedOnce(t *testing.T) {
	c := idle()
	p, err := c.Start(t.Context(), "append", nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	pending := c.pending
	c.pending, c.queue, c.err = nil, nil, errClosed // as in fail
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Wait(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, p := range pending {
		c.end(p, nil, c.err)
	}
	if !c.count.TryAcquire(1) || !c.bytes.TryAcquire(1) {
		t.Error("the call was not settled")
	}
}
