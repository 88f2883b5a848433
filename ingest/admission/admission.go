// Package admission decides which connections a server keeps when more peers
// connect than it has room for.
//
// A [Gate] has a number of places in total and for each peer, where a peer is an
// IPv4 address or an IPv6 /64. A connection takes a place in [Gate.Admit] and is
// pending until [Gate.Authenticate]. When all places are taken, a new connection
// replaces the oldest pending connection of the peer that has the most of them:
// connections that never authenticate cannot keep an honest peer out, unless they
// come from more peers than there are places.
package admission

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limits are the numbers of places. Both must be positive.
type Limits struct {
	Conns        int // in total
	ConnsPerPeer int // of one IPv4 address; an IPv6 /64 has four times as many
}

const (
	// networkFactor is how many more places an IPv6 /64 has than an IPv4 address:
	// one machine usually has all its addresses, but so can a row of web hosts.
	networkFactor = 4
	// pendingTime is how long a pending connection keeps its place from the same
	// peer's next one. A peer behind the same address as an attacker that only
	// holds connections open gets in; one that floods is rejected at once, which
	// costs less than serving each connection for a moment.
	pendingTime = time.Second
)

// logInterval is the time between two messages about rejected connections.
const logInterval = time.Minute

// Gate hands out places. Its methods may be called by several goroutines.
type Gate struct {
	limits Limits
	log    *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	peers    map[netip.Prefix]*peer
	total    int
	rejected int64 // connections rejected or replaced, ever
	unlogged int64 // of those, since the last message
	logged   time.Time
}

// peer is one address or network that has places.
type peer struct {
	conns   int
	pending []*Place // oldest first
}

// Place is one connection's place.
type Place struct {
	from netip.Prefix
	conn net.Conn // closed when the place is given to another connection
	at   time.Time
	left bool // under Gate.mu
}

// New returns a Gate. A nil now is time.Now.
func New(limits Limits, log *slog.Logger, now func() time.Time) *Gate {
	if now == nil {
		now = time.Now
	}
	return &Gate{limits: limits, log: log, now: now, peers: map[netip.Prefix]*peer{}}
}

// Admit returns a place for a connection from addr, or nil if the connection must
// be closed. The gate closes conn if it later needs the place for another peer
// before the connection has authenticated.
func (g *Gate) Admit(conn net.Conn, addr netip.Addr) *Place {
	from := network(addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[from]
	if p == nil {
		p = &peer{}
	}
	now := g.now()
	if !g.roomFor(p, from, now) {
		g.reject(addr, now)
		return nil
	}
	place := &Place{from: from, conn: conn, at: now}
	p.pending = append(p.pending, place)
	p.conns++
	g.total++
	g.peers[from] = p
	return place
}

// Rejected returns how many connections were rejected, or closed for another one,
// since the gate was made.
func (g *Gate) Rejected() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rejected
}

// roomFor reports whether the peer can have one more place, and closes a pending
// connection if that is what it takes. g.mu is held.
func (g *Gate) roomFor(p *peer, from netip.Prefix, now time.Time) bool {
	limit := g.limits.ConnsPerPeer
	if from.Addr().Is6() {
		limit *= networkFactor
	}
	if p.conns >= limit {
		if len(p.pending) == 0 || now.Sub(p.pending[0].at) < pendingTime {
			return false
		}
		g.evict(p.pending[0], now)
		return true
	}
	if g.total < g.limits.Conns {
		return true
	}
	// The peer that takes most of the places loses one, unless that is this one.
	var most *peer
	for _, other := range g.peers {
		if len(other.pending) > len(p.pending) && (most == nil || len(other.pending) > len(most.pending)) {
			most = other
		}
	}
	if most == nil {
		return false
	}
	g.evict(most.pending[0], now)
	return true
}

// evict closes a pending connection. g.mu is held.
func (g *Gate) evict(place *Place, now time.Time) {
	g.reject(place.from.Addr(), now)
	g.free(place)
	place.conn.Close() //nolint:errcheck // its goroutine gets the error of the closed connection
}

// reject counts a connection that is not served, and logs at most once in
// logInterval. g.mu is held.
func (g *Gate) reject(addr netip.Addr, now time.Time) {
	g.rejected++
	g.unlogged++
	if now.Sub(g.logged) >= logInterval {
		g.log.Warn("connection limit reached, connection rejected", "peer", addr, "limit", g.limits.Conns, "limit_per_peer", g.limits.ConnsPerPeer, "rejected", g.unlogged)
		g.logged, g.unlogged = now, 0
	}
}

// free takes a place back, once. g.mu is held.
func (g *Gate) free(place *Place) {
	if place.left {
		return
	}
	place.left = true
	p := g.peers[place.from]
	g.settle(p, place)
	g.total--
	if p.conns--; p.conns == 0 {
		delete(g.peers, place.from)
	}
}

// settle takes a place off its peer's pending ones. g.mu is held.
func (g *Gate) settle(p *peer, place *Place) {
	if i := slices.Index(p.pending, place); i >= 0 {
		p.pending = slices.Delete(p.pending, i, i+1)
	}
}

// Authenticate keeps the place for the connection until Leave. It returns false if
// the place was given to another connection before.
func (g *Gate) Authenticate(place *Place) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if place.left {
		return false
	}
	g.settle(g.peers[place.from], place)
	return true
}

// Leave gives the place back. It may be called more than once.
func (g *Gate) Leave(place *Place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free(place)
}

// network returns what counts as one peer. A host that has one IPv6 address usually
// has its whole /64.
func network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil { // not an IP address: a pipe in a test
		return netip.Prefix{}
	}
	return prefix
}
