package admission

import (
	"maps"
	"net/netip"
	"runtime"
	"time"
)

const (
	// acceptRate is how many connections that do not authenticate are accepted a second, beyond as
	// many as there are places. One costs about 35 µs of processor time, so this is at most a
	// fourteenth of a processor, and a listen queue of 4,096 (Linux) is emptied in two seconds.
	acceptRate = 2000
	// acceptPause is how long a server waits after it accepted too many.
	acceptPause = 20 * time.Millisecond
	// peerRate is how many connections of one IPv4 address are served a second, beyond as many as
	// it has places; an IPv6 /64 has four times as many. A TLS handshake takes the server a third
	// of a millisecond of processor time or more, and costs the client almost nothing.
	peerRate = 32
	// processorRate is how many connections of all peers are served a second for each processor,
	// beyond as many as there are places.
	processorRate = 100
	// maxPaced limits the peers with a rate of their own; the others share one.
	maxPaced = 10_000
	// sweepInterval is the time between two searches for rates that are not needed any more.
	sweepInterval = time.Second
)

// bucket holds permits up to a maximum; some are added each second.
type bucket struct {
	left float64 // below 0: taken ahead
	at   time.Time
}

// fill adds the permits since the last call. A new bucket is full.
func (b *bucket) fill(now time.Time, perSecond, most float64) {
	if b.at.IsZero() {
		b.left = most
	}
	b.left = min(b.left+perSecond*max(0, now.Sub(b.at).Seconds()), most)
	b.at = now
}

// full reports whether the bucket would be full if it was filled now. A new one is the same then.
func (b *bucket) full(now time.Time, perSecond, most float64) bool {
	return b.left+perSecond*now.Sub(b.at).Seconds() >= most
}

// take takes a permit and returns after what time it is valid.
func (b *bucket) take(now time.Time, perSecond, most float64) time.Duration {
	b.fill(now, perSecond, most)
	b.left--
	return time.Duration(max(0, -b.left) / perSecond * float64(time.Second))
}

// Pause returns how long a server must wait before it accepts the next connection: 0 unless too
// many that do not authenticate have connected.
func (g *Gate) Pause() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accepts.fill(g.now(), acceptRate, float64(g.limits.Conns))
	if g.accepts.left >= 1 {
		return 0
	}
	return acceptPause
}

// Delay returns how long a connection that has sent its first byte must wait before it is served: 0
// unless its peer, or all together, connect too often. It may be called once for a place. A place
// that is returned or replaced before that time returns its permit, so the wait is limited by the
// number of places.
func (g *Gate) Delay(place *Place) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	rate, places := g.rateOf(place.from)
	place.rate = g.paced(place.from, now)
	delay := max(place.rate.take(now, rate, places), g.served.take(now, processorRate*float64(runtime.GOMAXPROCS(0)), float64(g.limits.Conns)))
	place.servedAt = now.Add(delay)
	if delay > 0 {
		g.delayed.add(place.from, now)
	}
	return delay
}

// rateOf returns how many permits a peer's bucket gets a second, and how many it holds.
func (g *Gate) rateOf(from netip.Prefix) (perSecond, most float64) {
	most = float64(g.limitOf(from))
	return peerRate * most / float64(g.limits.ConnsPerPeer), most
}

// paced returns the bucket of a peer. g.mu must be held.
func (g *Gate) paced(from netip.Prefix, now time.Time) *bucket {
	if b := g.rates[from]; b != nil {
		return b
	}
	if len(g.rates) >= maxPaced && now.Sub(g.swept) >= sweepInterval {
		g.swept = now
		maps.DeleteFunc(g.rates, func(from netip.Prefix, b *bucket) bool {
			perSecond, most := g.rateOf(from)
			return b.full(now, perSecond, most)
		})
	}
	if len(g.rates) >= maxPaced {
		from = netip.Prefix{}
		if b := g.rates[from]; b != nil {
			return b
		}
	}
	b := &bucket{}
	g.rates[from] = b
	return b
}
