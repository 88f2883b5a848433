package receiver

import (
	"fmt"
	"net/netip"
	"time"
)

// interleaving detects that two addresses use a host's name at the same time: a connection
// continues after another address has sent something. That does not happen if a host moves to
// another address, or a new agent replaces one.
type interleaving struct {
	last        netip.Addr // that sent last
	first       netip.Addr // of the connection that continued
	second      netip.Addr // of the one in between
	times       int
	since, seen time.Time // of the first and the last occurrence
}

const (
	// interleavedApart is the least time between two occurrences that are counted, because messages
	// in flight on a broken connection arrive in quick succession.
	interleavedApart = 2 * time.Second
	// interleavedTimes occurrences cause a warning, if they are at most interleavedWithin apart.
	interleavedTimes  = 3
	interleavedWithin = time.Minute
)

// spoke records a message on a connection from an address; again is true if it is not the
// connection's first. It reports whether a warning must begin.
func (x *interleaving) spoke(from netip.Addr, again bool, now time.Time) (warn bool) {
	between := x.last
	x.last = from
	if !again || !between.IsValid() || between == from {
		return false
	}
	if age := now.Sub(x.seen); age >= FaultFor || x.times < interleavedTimes && age >= interleavedWithin {
		x.times, x.since = 0, now
	} else if age < interleavedApart {
		return false
	}
	x.times++
	x.seen, x.first, x.second = now, from, between
	return x.times == interleavedTimes
}

// text returns the warning for operators; "" if there is none.
func (x *interleaving) text(host string, now time.Time) string {
	if x.times < interleavedTimes || now.Sub(x.seen) >= FaultFor {
		return ""
	}
	return fmt.Sprintf("two senders use the name %s at the same time, from %s and %s, since %s", host, x.first, x.second, x.since.UTC().Format(time.RFC3339))
}

// spoke records that the session's host sent a message. r.mu must be held.
func (s *session) spoke(h *Host) {
	from := s.peer.Address.Addr().Unmap()
	if h.interleaved.spoke(from, s.again, s.cfg.Now()) {
		s.cfg.Log.Warn("host name used from two addresses at the same time", "host", h.Name, "peer", h.interleaved.first, "address", h.interleaved.second)
	}
	s.again = true
}
