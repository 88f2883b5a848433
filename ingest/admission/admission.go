// Package admission decides which connections a server keeps when more peers connect than its
// limits permit.
//
// A [Gate] has a number of places in total and for each peer, where a peer is an IPv4 address or an
// IPv6 /64. A connection takes a place in [Gate.Admit] and is pending until [Gate.Authenticate].
// When all places are taken, a new connection replaces the oldest pending connection of the peer
// that has the most of them: connections that never authenticate cannot lock an honest peer out,
// unless they are from more peers than there are places.
//
// Some places are for pending connections only, so that one can always authenticate. When the
// others are taken, authenticated connections take turns: the new one replaces one of the peer or
// certificate that has the most, or the oldest one that has had its place for [Limits.Turn]. So more
// peers than places are all served in turn, and a peer, or a host with many addresses, never
// replaces a connection of one that has fewer.
//
// Most of the cost of a rejected connection is the kernel's, for accept and close. Therefore
// connections that do not authenticate are accepted at a limited rate ([Gate.Pause]), and the
// others wait in the listen queue. The cost of a connection that sends something is its TLS
// handshake: [Gate.Delay] limits how often a peer can make the server begin one.
package admission

import (
	"cmp"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limits are the numbers of places. Both numbers must be positive.
type Limits struct {
	Conns        int           // in total
	ConnsPerPeer int           // of one IPv4 address; an IPv6 /64 has four times as many
	Turn         time.Duration // how long an authenticated connection keeps its place at least; 0: 5 s
}

const (
	// networkFactor is how many more places an IPv6 /64 has than an IPv4 address: usually all its
	// addresses belong to one machine, but they may belong to many web hosts.
	networkFactor = 4
	// pendingTime is how long a pending connection keeps its place when the same peer connects
	// again. A peer behind the same address as an attacker that only holds connections open is
	// admitted after it; a flood is rejected at once, which costs less than serving each connection
	// for a moment.
	pendingTime = time.Second
	// defaultTurn is the default of Limits.Turn: an agent sends its waiting batches in less.
	defaultTurn = 5 * time.Second
	// turnsAway is how many turns a peer whose connection was replaced must wait before it may
	// replace the oldest one of others, so that peers that were not served yet come first.
	turnsAway = 3
	// pendingShare: one place in so many is for pending connections only.
	pendingShare = 16
)

// logInterval is the time between two messages about rejected connections.
const logInterval = time.Minute

// Gate assigns places. Its methods may be called concurrently.
type Gate struct {
	limits Limits
	log    *slog.Logger
	now    func() time.Time

	mu              sync.Mutex
	peers           map[netip.Prefix]*peer
	total           int
	admitted        int64 // in total
	authenticated   int   // of total
	rejected        int64 // connections rejected or replaced, in total
	unlogged        int64 // rejected since the last log message
	logged          time.Time
	recent          rejections
	delayed         rejections               // connections that had to wait
	accepts         bucket                   // for connections that do not authenticate
	served          bucket                   // for connections that have sent something
	rates           map[netip.Prefix]*bucket // the same for each peer; limited by maxPaced
	swept           time.Time                // when rates was last cleaned
	crowded         crowded
	certificates    map[string]*certificate    // of authenticated connections, by names
	replaced        map[netip.Prefix]time.Time // when an authenticated connection of the peer was replaced
	failure         Failure
	failureLogged   time.Time
	failureReported bool // this failure was logged
}

// peer is an address or network that has places. Both lists are sorted, the oldest first.
type peer struct {
	pending, authenticated []*Place
}

func (p *peer) conns() int { return len(p.pending) + len(p.authenticated) }

// Place is one connection's place.
type Place struct {
	from netip.Prefix
	conn net.Conn  // closed when the place is given to another connection
	at   time.Time // when it was admitted or authenticated
	seq  int64     // sequence number of its admission
	// ended is closed when the place is returned or given to another connection.
	ended chan struct{}

	// Guarded by Gate.mu:
	left     bool
	servedAt time.Time // until then the permit of Delay is taken ahead
	rate     *bucket   // of its peer; nil before Delay
	// certificate is nil before Authenticate, and without one.
	certificate *certificate
}

// Ended returns a channel that is closed when the connection has no place any more.
func (p *Place) Ended() <-chan struct{} { return p.ended }

// From returns the peer that the place counts for: an IPv4 address, or an IPv6 /64.
func (p *Place) From() netip.Prefix { return p.from }

// New returns a Gate. A nil now is time.Now.
func New(limits Limits, log *slog.Logger, now func() time.Time) *Gate {
	if now == nil {
		now = time.Now
	}
	limits.Turn = cmp.Or(limits.Turn, defaultTurn)
	return &Gate{limits: limits, log: log, now: now, peers: map[netip.Prefix]*peer{}, rates: map[netip.Prefix]*bucket{}, replaced: map[netip.Prefix]time.Time{}, certificates: map[string]*certificate{}}
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
	g.accepted(now)
	g.accepts.take(now, acceptRate, float64(g.limits.Conns))
	if !g.roomFor(p, from, now) {
		g.reject(addr, now)
		return nil
	}
	g.admitted++
	place := &Place{from: from, conn: conn, at: now, seq: g.admitted, ended: make(chan struct{})}
	p.pending = append(p.pending, place)
	g.total++
	g.peers[from] = p
	return place
}

// limitOf returns how many places a peer has. One more is for a pending connection that may replace
// an authenticated one of the same peer.
func (g *Gate) limitOf(from netip.Prefix) int {
	if from.Addr().Is6() {
		return g.limits.ConnsPerPeer * networkFactor
	}
	return g.limits.ConnsPerPeer
}

// roomFor reports whether the peer can have one more place, and closes a pending connection if that
// is necessary. g.mu must be held.
func (g *Gate) roomFor(p *peer, from netip.Prefix, now time.Time) bool {
	if p.conns() >= g.limitOf(from) && len(p.pending) > 0 {
		if now.Sub(p.pending[0].at) < pendingTime {
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
		if n := len(other.pending); n > len(p.pending) && (most == nil || n > len(most.pending) || n == len(most.pending) && other.pending[0].seq < most.pending[0].seq) {
			most = other
		}
	}
	if most == nil {
		return false
	}
	g.evict(most.pending[0], now)
	return true
}

// evict closes a connection to give its place to another one. g.mu must be held.
func (g *Gate) evict(place *Place, now time.Time) {
	g.reject(place.from.Addr(), now)
	g.free(place, now)
	place.conn.Close() //nolint:errcheck // its goroutine gets the error of the closed connection
}

// reject counts a connection that is not served, and logs at most once in logInterval. g.mu must be
// held.
func (g *Gate) reject(addr netip.Addr, now time.Time) {
	g.rejected++
	g.unlogged++
	g.recent.add(network(addr), now)
	if now.Sub(g.logged) >= logInterval {
		g.log.Warn("connection limit reached, connection rejected", "peer", addr, "limit", g.limits.Conns, "limit_per_peer", g.limits.ConnsPerPeer, "rejected", g.unlogged)
		g.logged, g.unlogged = now, 0
	}
}

// free returns a place, once, and its permit if it was not served. g.mu must be held.
func (g *Gate) free(place *Place, now time.Time) {
	if place.left {
		return
	}
	place.left = true
	close(place.ended)
	if now.Before(place.servedAt) {
		place.rate.left++
		g.served.left++
	}
	p := g.peers[place.from]
	if !remove(&p.pending, place) && remove(&p.authenticated, place) {
		g.authenticated--
	}
	if c := place.certificate; c != nil && remove(&c.places, place) && len(c.places) == 0 {
		delete(g.certificates, c.names)
	}
	g.total--
	if p.conns() == 0 {
		delete(g.peers, place.from)
	}
}

// remove removes a place from a list and reports whether it was there.
func remove(list *[]*Place, place *Place) bool {
	i := slices.Index(*list, place)
	if i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	}
	return i >= 0
}

// Leave returns the place. It may be called more than once.
func (g *Gate) Leave(place *Place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free(place, g.now())
}

// network returns what counts as one peer. A host with one IPv6 address usually has its whole /64.
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
