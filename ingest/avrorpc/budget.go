package avrorpc

import (
	"context"
	"slices"
	"sync"
)

// budget shares a number of bytes among the frames of all connections. Who waits
// for more of it has a part of a frame already, so that all could wait for each
// other: one of them at a time may go on without counting, to its frame's end.
type budget struct {
	mu      sync.Mutex
	free    int64
	taken   bool // the one place outside the count
	waiters []*waiter
}

type waiter struct {
	bytes  int64
	beyond bool
	ready  chan struct{}
}

// take takes n bytes, in turn; beyond says that nothing was counted, and the place
// outside is held instead.
func (b *budget) take(ctx context.Context, n int64) (beyond bool, err error) {
	b.mu.Lock()
	if len(b.waiters) == 0 {
		if beyond, ok := b.serve(n); ok {
			b.mu.Unlock()
			return beyond, nil
		}
	}
	w := &waiter{bytes: n, ready: make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return w.beyond, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiters, w); i >= 0 {
		b.waiters = slices.Delete(b.waiters, i, i+1)
	} else {
		b.put(w.bytes, w.beyond) // it was served just now
	}
	b.wake()
	return false, ctx.Err()
}

func (b *budget) serve(n int64) (beyond, ok bool) {
	if b.free >= n {
		b.free -= n
		return false, true
	}
	if b.taken {
		return false, false
	}
	b.taken = true
	return true, true
}

func (b *budget) put(n int64, beyond bool) {
	if beyond {
		b.taken = false
	} else {
		b.free += n
	}
}

func (b *budget) wake() {
	for len(b.waiters) > 0 {
		w := b.waiters[0]
		beyond, ok := b.serve(w.bytes)
		if !ok {
			return
		}
		w.beyond = beyond
		close(w.ready)
		b.waiters = slices.Delete(b.waiters, 0, 1)
	}
}

// give gives back n bytes, and the place outside where it is held.
func (b *budget) give(n int64, beyond bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	if beyond {
		b.taken = false
	}
	b.wake()
}
