package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
)

// away runs an agent until its second collector has the first 100 bytes of a log, and its first one is
// available again.
func away(t *testing.T, do func(n *near, first, second *far, s *checkpoint.Stream)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n, first, second := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		first.away = true
		n.sending()
		n.put(t, s, 0, 100)
		time.Sleep(n.cfg.FailoverAfter + 2*maxPause)
		second.whole(t, 0, 100)
		first.set(func(f *far) { f.away = false })
		for seconds := 0; !second.isLeft(); seconds++ {
			if time.Sleep(time.Second); seconds > 60 {
				t.Fatal("the agent does not return")
			}
		}
		do(n, first, second, s)
	})
}

// isLeft reports whether a host waits until its lines are stored.
func (f *far) isLeft() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leaving > 0
}

// at checks to which collector the agent is connected, the number in its order.
func (n *near) at(t *testing.T, want int) {
	t.Helper()
	if at := n.State(); !at.Connected || at.Collector != n.order()[want] {
		t.Errorf("the agent is not connected to collector %d: %+v", want, at)
	}
}

// Before it returns, an agent lets the collector store what it received, and sends it nothing more: the
// preferred collector is sent no line again.
func TestNoLineIsSentAgainByAReturn(t *testing.T) {
	away(t, func(n *near, first, second *far, s *checkpoint.Stream) {
		n.put(t, s, 100, 200)
		time.Sleep(MaxLeaving / 2)
		n.at(t, 1)
		second.whole(t, 0, 100)
		second.set(func(f *far) {
			f.have[s.ID] = protocol.Position{Stream: s.ID, Received: 100, Stored: 100}
		})
		time.Sleep(2 * leavingInterval)
		synctest.Wait()
		n.at(t, 0)
		first.whole(t, 100, 200)
		second.whole(t, 0, 100)
	})
}

// If the lines are not stored in time, the preferred collector is sent them again.
func TestAnAgentDoesNotWaitForeverBeforeItReturns(t *testing.T) {
	away(t, func(n *near, first, _ *far, _ *checkpoint.Stream) {
		time.Sleep(MaxLeaving - 2*time.Second)
		n.at(t, 1)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		n.at(t, 0)
		first.set(func(f *far) {
			if f.leaving > 0 || len(f.took) > 0 && f.took[0].Start > 0 {
				t.Errorf("%d heartbeats of a leaving host, %v", f.leaving, f.took)
			}
		})
	})
}

// An agent that is stopped while it waits sends what it read to the present collector.
func TestAStopEndsTheWaitBeforeAReturn(t *testing.T) {
	away(t, func(n *near, _, second *far, s *checkpoint.Stream) {
		n.put(t, s, 100, 200)
		n.window.end()
		time.Sleep(2 * leavingInterval)
		synctest.Wait()
		second.whole(t, 0, 200)
	})
}
