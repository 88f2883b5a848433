package receiver

import (
	"strings"
	"testing"
	"time"

	"sluice/ingest/protocol"
)

// step is the next message of a sender: a hello on a new connection, or a heartbeat on an open one.
type step struct {
	who   int
	fresh bool
	after time.Duration
}

// Two addresses that use one name at the same time cause a warning; cases that only look similar do
// not.
func TestTwoAddressesThatUseOneNameAtTheSameTimeAreAWarning(t *testing.T) {
	const honest, other, sameHost = 0, 1, 2
	from := []string{"127.0.0.1", "127.0.0.2", "127.0.0.1"}
	// forger connects again and again while the honest agent continues.
	forger := []step{{honest, true, 0}}
	for range 4 {
		forger = append(forger, step{other, true, 3 * time.Second}, step{honest, false, 3 * time.Second})
	}
	var quick, reconnects []step
	for range 50 { // messages in flight on a broken connection, beside the next connection
		quick = append(quick, step{other, false, 10 * time.Millisecond}, step{honest, false, 10 * time.Millisecond})
	}
	for range 4 { // a network with two routes
		reconnects = append(reconnects, step{honest, true, 5 * time.Second}, step{other, true, 5 * time.Second})
	}
	var seldom, sameAddress []step
	for range 5 {
		seldom = append(seldom, step{honest, false, 2 * time.Minute}, step{other, true, time.Second})
		sameAddress = append(sameAddress, step{honest, false, 5 * time.Second}, step{sameHost, false, 5 * time.Second})
	}
	start := []step{{honest, true, 0}, {other, true, 0}, {sameHost, true, 0}}
	for _, c := range []struct {
		name  string
		steps []step
		warns bool
	}{
		{"a forger beside an agent", forger, true},
		{"a host that moved", []step{{honest, true, 0}, {honest, false, time.Second}, {other, true, 5 * time.Second}, {other, false, 5 * time.Second}, {other, false, 5 * time.Second}}, false},
		{"a host that moved, with batches in flight", append(start, quick...), false},
		{"a host that comes from two addresses in turn", reconnects, false},
		{"two connections that go on minutes apart", append(start, seldom...), false},
		{"two connections of one address", append(start, sameAddress...), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := collect(t, t.TempDir(), "127.0.0.1:0", 0)
			defer s.end(t, false)
			s.pass(0)
			wires := make([]*wire, len(from))
			for _, x := range c.steps {
				s.pass(x.after)
				if x.fresh {
					wires[x.who] = dialFrom(t, from[x.who], s.address)
					wires[x.who].hello("web01", named(7, 0))
				} else if _, err := wires[x.who].beat(protocol.Heartbeat{}); err != nil {
					t.Fatal(err)
				}
			}
			got := s.known("web01").Shared
			if c.warns != strings.HasPrefix(got, "two senders use the name web01 at the same time, from 127.0.0.1 and 127.0.0.2, since ") {
				t.Errorf("%q", got)
			}
			s.pass(FaultFor)
			if got := s.known("web01").Shared; got != "" {
				t.Errorf("the warning does not end: %q", got)
			}
		})
	}
}
