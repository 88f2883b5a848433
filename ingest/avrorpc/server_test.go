package avrorpc

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/admission"
)

// A connection that is replaced while it waits to be served keeps its goroutine no longer.
func TestAWaitingConnectionEndsWhenItIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := admission.New(admission.Limits{Conns: 1, ConnsPerPeer: 1}, slog.New(slog.DiscardHandler), nil)
		n := &listening{Server: &Server{Limits: Limits{}.withDefaults()}, gate: gate}
		raw, other := net.Pipe()
		defer other.Close()
		hasty := netip.MustParseAddr("192.0.2.1")
		first := gate.Admit(raw, hasty)
		gate.Delay(first)
		gate.Leave(first)
		second := gate.Admit(raw, hasty) // it waits until the first has cost it no time any more
		began, ended := time.Now(), make(chan error, 1)
		go func() {
			_, err := n.begin(t.Context(), raw, second)
			ended <- err
		}()
		if _, err := other.Write([]byte{0}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if gate.Admit(raw, netip.MustParseAddr("192.0.2.2")) == nil {
			t.Fatal("the connection of another peer was rejected")
		}
		if err := <-ended; !errors.Is(err, errReplaced) || time.Since(began) > 0 {
			t.Errorf("it ended after %v: %v", time.Since(began), err)
		}
	})
}
