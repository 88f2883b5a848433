package admission

import (
	"maps"
	"net/netip"
	"strings"
	"time"
)

const (
	// certificateShare: connections with one certificate may use one place in so many for each host
	// that it names, but at least minCertificateConns: a host has one connection, and others for a
	// moment, and some that broke and are not known to be closed.
	certificateShare    = 16
	minCertificateConns = 8
)

// certificate has the authenticated connections with the same names in their certificates, the
// oldest first. Addresses are easier to get than certificates, so a host must not have more places
// by connecting from many of them.
type certificate struct {
	names  string
	hosts  int // number of names
	places []*Place
}

// connsPerHost returns the number of connections for each host that the certificate names, rounded
// up. It is 0 for nil.
func (c *certificate) connsPerHost() int {
	if c == nil {
		return 0
	}
	return (len(c.places) + c.hosts - 1) / c.hosts
}

// certify counts a place for the names of its certificate, if it has one. g.mu must be held.
func (g *Gate) certify(place *Place, names []string) {
	if len(names) == 0 {
		return
	}
	key := strings.Join(names, " ")
	c := g.certificates[key]
	if c == nil {
		c = &certificate{names: key, hosts: len(names)}
		g.certificates[key] = c
	}
	c.places = append(c.places, place)
	place.certificate = c
}

// limitOfCertificate returns how many connections a certificate may have for each host that it
// names.
func (g *Gate) limitOfCertificate() int {
	return max(minCertificateConns, g.limits.Conns/certificateShare)
}

// Authenticate keeps the place for the connection until Leave, or until another connection takes
// its turn. names are those of its certificate, if it has one. Authenticate returns false if the
// connection must be closed because its place was given away before, or because no other connection
// can be replaced.
func (g *Gate) Authenticate(place *Place, names []string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if place.left {
		return false
	}
	p := g.peers[place.from]
	if !remove(&p.pending, place) {
		return true // it has authenticated before
	}
	now := g.now()
	place.at = now
	g.accepts.left++
	p.authenticated = append(p.authenticated, place)
	g.authenticated++
	g.certify(place, names)
	if leaves := g.leaves(p, place, now); leaves != nil {
		if leaves != place {
			g.noteReplaced(leaves.from, now)
		}
		g.evict(leaves, now)
	}
	return !place.left
}

// leaves returns the connection that must be closed because place has authenticated: place itself
// if no other can be replaced, nil if there is space for all. g.mu must be held.
func (g *Gate) leaves(p *peer, place *Place, now time.Time) *Place {
	due := func(x *Place) bool { return now.Sub(x.at) >= g.limits.Turn }
	var own []*Place // the oldest of them must go
	if c := place.certificate; c.connsPerHost() > g.limitOfCertificate() {
		own = c.places
		g.crowded.add(c.names, now)
	} else if len(p.authenticated) > g.limitOf(place.from) {
		own = p.authenticated
	}
	switch {
	case own != nil && due(own[0]):
		return own[0]
	case own != nil:
		return place
	case g.authenticated <= g.limits.Conns-max(1, g.limits.Conns/pendingShare) || g.authenticated == 1:
		return nil
	}
	// A connection counts as one of as many as its address or its certificate has, whichever is
	// more.
	conns := max(len(p.authenticated), place.certificate.connsPerHost())
	var most, oldest *Place
	greatest := conns
	for _, other := range g.peers {
		for _, x := range other.authenticated {
			n := max(len(other.authenticated), x.certificate.connsPerHost())
			if n > greatest || most != nil && n == greatest && x.seq < most.seq {
				most, greatest = x, n
			}
			if n >= conns && due(x) && (oldest == nil || x.at.Before(oldest.at)) {
				oldest = x
			}
		}
	}
	switch {
	case most != nil:
		return most
	case oldest != nil && now.Sub(g.replaced[place.from]) >= turnsAway*g.limits.Turn:
		return oldest
	}
	return place
}

// noteReplaced records that a peer had its turn. g.mu must be held.
func (g *Gate) noteReplaced(from netip.Prefix, now time.Time) {
	if len(g.replaced) >= maxReported {
		maps.DeleteFunc(g.replaced, func(_ netip.Prefix, at time.Time) bool { return now.Sub(at) >= turnsAway*g.limits.Turn })
	}
	if len(g.replaced) < maxReported {
		g.replaced[from] = now
	}
}
