package agent

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/checkpoint"
)

// certified runs an agent that has sent 100 bytes, with a certificate that renew replaces. The
// collector rejects it if rejected is true.
func certified(t *testing.T, do func(n *near, first *far, s *checkpoint.Stream, renew func(to string, rejected bool))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		certificate, reject := "old", false
		n, first, _ := agentOf(t, func(c *Config) {
			c.Certificate = func() []byte { mu.Lock(); defer mu.Unlock(); return []byte(certificate) }
			dial := c.Dial
			c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				if reject {
					return nil, errors.New("bad certificate")
				}
				return dial(ctx, address)
			}
		})
		defer n.close()
		s := n.stream(t)
		n.sending()
		n.put(t, s, 0, 100)
		time.Sleep(time.Hour)
		if hellos := first.hellos(); hellos != 1 {
			t.Errorf("%d hellos before the renewal", hellos)
		}
		do(n, first, s, func(to string, rejected bool) {
			mu.Lock()
			defer mu.Unlock()
			certificate, reject = to, rejected
		})
	})
}

func TestARenewedCertificateIsPresentedWithoutARestart(t *testing.T) {
	certified(t, func(n *near, first *far, s *checkpoint.Stream, renew func(string, bool)) {
		renew("new", false)
		time.Sleep(2 * renewalInterval)
		n.put(t, s, 100, 200)
		time.Sleep(time.Hour)
		n.at(t, 0)
		if hellos := first.hellos(); hellos != 3 {
			t.Errorf("%d hellos, want one for each certificate and one to try the new one", hellos)
		}
		first.whole(t, 0, 200)
	})
}

func TestARenewedCertificateThatIsRejectedEndsNoConnection(t *testing.T) {
	certified(t, func(n *near, first *far, s *checkpoint.Stream, renew func(string, bool)) {
		renew("wrong", true)
		time.Sleep(time.Hour)
		n.put(t, s, 100, 200)
		synctest.Wait()
		n.at(t, 0)
		if hellos := first.hellos(); hellos != 1 {
			t.Errorf("%d hellos with a rejected certificate", hellos)
		}
		renew("right", false)
		time.Sleep(2 * maxRenewalPause)
		n.at(t, 0)
		if hellos := first.hellos(); hellos != 3 {
			t.Errorf("%d hellos after the correction", hellos)
		}
		first.whole(t, 0, 200)
	})
}
