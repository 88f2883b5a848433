package avrorpc

import (
	"context"
	"net/netip"
	"slices"
	"sync"
)

// budget shares a number of bytes among the frames of all connections, and limits the share of one
// peer, so that incomplete frames of one peer leave room for the frames of others. A reader that
// waits for bytes already has a part of a frame, so all readers could wait for each other.
// Therefore some frames are read to their end without being counted: one frame of each peer that
// has used its share, for at most maxOver such peers at a time, and one of all others.
type budget struct {
	share int64 // of one peer; 0: no limit

	mu      sync.Mutex
	free    int64
	outside bool // the uncounted frame of all peers is being read
	over    int  // number of peers that have used their share and are reading an uncounted frame
	waiters []*waiter
	peers   map[netip.Prefix]*holder
}

// maxOver limits the frames beyond the shares of their peers, and so the memory of all frames.
const maxOver = 3

// holder is what a peer uses of the budget; guarded by budget.mu.
type holder struct {
	conns   int
	bytes   int64
	outside bool // the uncounted frame of this peer is being read
}

// claim is what one frame uses of the budget.
type claim struct {
	of      *holder // nil: a reader without a peer
	bytes   int64
	outside place
}

// place is whether a frame is counted from here on.
type place byte

const (
	counted place = iota
	outsideAll
	outsidePeer
)

type waiter struct {
	of    *holder
	bytes int64
	got   place
	ready chan struct{}
}

// open returns the holder of the peer at from, for one more connection. close must follow.
func (b *budget) open(from netip.Prefix) *holder {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.peers[from]
	if h == nil {
		h = new(holder)
		if b.peers == nil {
			b.peers = map[netip.Prefix]*holder{}
		}
		b.peers[from] = h
	}
	h.conns++
	return h
}

// close ends what open began, after the connection's last frame was returned.
func (b *budget) close(from netip.Prefix, h *holder) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.conns--; h.conns == 0 && b.peers[from] == h {
		delete(b.peers, from)
	}
}

// take takes n bytes for a frame of h. Waiting readers are served in order, except those whose peer
// has used its share.
func (b *budget) take(ctx context.Context, h *holder, n int64) (place, error) {
	b.mu.Lock()
	if len(b.waiters) == 0 {
		if got, ok := b.serve(h, n); ok {
			b.mu.Unlock()
			return got, nil
		}
	}
	w := &waiter{of: h, bytes: n, ready: make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.wake() // the other waiters may all wait for their own peer
	b.mu.Unlock()
	select {
	case <-w.ready:
		return w.got, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiters, w); i >= 0 {
		b.waiters = slices.Delete(b.waiters, i, i+1)
	} else {
		b.put(claim{h, w.bytes, w.got}) // it was served at the same moment
	}
	b.wake()
	return counted, ctx.Err()
}

// full reports whether h exceeds its share with n more bytes.
func (b *budget) full(h *holder, n int64) bool {
	return h != nil && b.share > 0 && h.bytes+n > b.share
}

func (b *budget) serve(h *holder, n int64) (got place, ok bool) {
	switch {
	case b.full(h, n):
		if h.outside || b.over == maxOver {
			return counted, false
		}
		h.outside = true
		b.over++
		return outsidePeer, true
	case b.free >= n:
		b.free -= n
		if h != nil {
			h.bytes += n
		}
		return counted, true
	case b.outside:
		return counted, false
	}
	b.outside = true
	return outsideAll, true
}

// put returns what take gave for c.bytes, or all of a frame.
func (b *budget) put(c claim) {
	switch c.outside {
	case outsideAll:
		b.outside = false
	case outsidePeer:
		c.of.outside = false
		b.over--
	case counted:
		b.free += c.bytes
		if c.of != nil {
			c.of.bytes -= c.bytes
		}
	}
}

func (b *budget) wake() {
	waiting := b.waiters[:0]
	short := false // of bytes: later waiters wait too
	for _, w := range b.waiters {
		full := b.full(w.of, w.bytes)
		if got, ok := counted, false; full || !short {
			if got, ok = b.serve(w.of, w.bytes); ok {
				w.got = got
				close(w.ready)
				continue
			}
			short = short || !full
		}
		waiting = append(waiting, w)
	}
	clear(b.waiters[len(waiting):])
	b.waiters = waiting
}

// give returns what a frame uses: its counted bytes, and the uncounted place if it has one.
func (b *budget) give(c claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(claim{of: c.of, bytes: c.bytes})
	if c.outside != counted {
		b.put(c)
	}
	b.wake()
}
