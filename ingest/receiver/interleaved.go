package receiver

import (
	"fmt"
	"net/netip"
	"time"
)

// interleaving notes that two addresses use a host's name at the same time: a connection goes
// on after another address has spoken. A host that moved to another address does not do so,
// and neither does a new agent that replaces one.
type interleaving struct {
	last        netip.Addr // that spoke last
	first       netip.Addr // of the connection that went on
	second      netip.Addr // of the one between
	times       int
	since, seen time.Time // of the first time and the last one
}

const (
	// interleavedApart is the least time between two times that are counted: what is on
	// its way of a connection that broke comes in a row.
	interleavedApart = 2 * time.Second
	// interleavedTimes are enough for a warning, if they are at most interleavedWithin apart.
	interleavedTimes  = 3
	interleavedWithin = time.Minute
)

// spoke notes that a connection from an address said something, not for the first time if
// again, and reports whether a warning begins with that.
func (x *interleaving) spoke(from netip.Addr, again bool, now time.Time) (warn bool) {
	between := x.last
	x.last = from
	if !again || !between.IsValid() || between == from {
		return false
	}
	if age := now.Sub(x.seen); age >= faultFor || x.times < interleavedTimes && age >= interleavedWithin {
		x.times, x.since = 0, now
	} else if age < interleavedApart {
		return false
	}
	x.times++
	x.seen, x.first, x.second = now, from, between
	return x.times == interleavedTimes
}

// text is what operators are told; "" is nothing.
func (x *interleaving) text(host string, now time.Time) string {
	if x.times < interleavedTimes || now.Sub(x.seen) >= faultFor {
		return ""
	}
	return fmt.Sprintf("two senders use the name %s at the same time, from %s and %s, since %s", host, x.first, x.second, x.since.UTC().Format(time.RFC3339))
}

// spoke notes that the session's host said something. r.mu is held.
func (s *session) spoke(h *Host) {
	from := s.peer.Address.Addr().Unmap()
	if h.interleaved.spoke(from, s.again, s.cfg.Now()) {
		s.cfg.Log.Warn("host name used from two addresses at the same time", "host", h.Name, "peer", h.interleaved.first, "address", h.interleaved.second)
	}
	s.again = true
}
