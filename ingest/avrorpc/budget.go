package avrorpc

import (
	"context"
	"net/netip"
	"slices"
	"sync"
)

// budget shares a number of bytes among the frames of all connections, and bounds what
// the connections of one peer have of it, so that frames which one peer begins and does
// not end leave room for the frames of others. A reader that waits for bytes has a part
// of a frame already, so all readers could wait for each other: one frame of each peer
// that has its share, of maxOver such peers at a time, and one of all others, is read to its
// end without being counted.
type budget struct {
	share int64 // of one peer; 0: all of it

	mu      sync.Mutex
	free    int64
	outside bool // the frame of all peers that is not counted is being read
	over    int  // peers that have their share and are reading a frame that is not counted
	waiters []*waiter
	peers   map[netip.Prefix]*holder
}

// maxOver bounds the frames beyond the shares of their peers, and so what all frames take.
const maxOver = 3

// holder is what a peer has of the budget; budget.mu guards it.
type holder struct {
	conns   int
	bytes   int64
	outside bool // the frame of this peer that is not counted is being read
}

// claim is what one frame has of the budget.
type claim struct {
	of      *holder // nil: of a reader without a peer
	bytes   int64
	outside place
}

// place says whether a frame is counted from here on.
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

// open returns what the peer at from has of the budget, for one connection more. close
// must follow.
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

// close ends what open began, after the connection's last frame was given back.
func (b *budget) close(from netip.Prefix, h *holder) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.conns--; h.conns == 0 && b.peers[from] == h {
		delete(b.peers, from)
	}
}

// take takes n bytes for a frame of h. The readers that wait are served in turn, but for
// those whose peer has its share.
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
	b.wake() // the others may all wait for their own peer
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
		b.put(claim{h, w.bytes, w.got}) // it was served just now
	}
	b.wake()
	return counted, ctx.Err()
}

// full reports whether h has its share when n bytes are added.
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

// put gives back what take gave for c.bytes, or all that a frame has.
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
	short := false // of bytes: later waiters wait, too
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

// give gives back what a frame has: its counted bytes, and the place outside if it is there.
func (b *budget) give(c claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(claim{of: c.of, bytes: c.bytes})
	if c.outside != counted {
		b.put(c)
	}
	b.wake()
}
