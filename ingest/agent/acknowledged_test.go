package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/ingest/segment/vfs"
)

// losses returns what the checkpoint on disk has of them.
func (n *near) losses(t *testing.T) checkpoint.LossCount {
	t.Helper()
	file, err := checkpoint.Open(vfs.OS{}, n.path, "")
	if err != nil {
		t.Fatal(err)
	}
	return file.Losses.Count()
}

// TestLossesAcknowledgedAtTheCollectorLeaveTheCheckpoint: those that the collector does not know
// yet stay, and a number beyond what the agent reported is ignored.
func TestLossesAcknowledgedAtTheCollectorLeaveTheCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, second := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		n.file.Losses.Add(checkpoint.Loss{Path: "a", Bytes: 3, AtUnix: 100})
		n.sending()
		n.put(t, s, 0, 100)
		time.Sleep(10 * time.Second)
		if got := n.losses(t); got.Files != 1 {
			t.Errorf("a loss is durable before it is acknowledged: %+v", got)
		}
		number := n.file.Losses.Count().Last
		first.set(func(f *far) { f.acknowledged = number + 1 })
		time.Sleep(10 * time.Second)
		if got := n.losses(t); got.Files != 1 {
			t.Errorf("a number that this agent did not report: %+v", got)
		}
		n.file.Losses.Add(checkpoint.Loss{Path: "b", Bytes: 4, AtUnix: 100})
		first.set(func(f *far) { f.acknowledged = number })
		time.Sleep(10 * time.Second)
		if got := n.losses(t); got.Files != 1 || got.Bytes != 4 {
			t.Errorf("after the acknowledgement of the first: %+v", got)
		}
		if h := n.Heartbeat(); h.Counters[protocol.LostBytes] != 4 || h.Counters[protocol.FirstLoss] != number+1 {
			t.Errorf("the heartbeat has %v", h.Counters)
		}
		// The operator may use a collector that the host is not connected to.
		second.set(func(f *far) { f.acknowledged = number + 1 })
		n.farewells.arrived(n.order()[0])
		if err := n.farewells.tell(t.Context(), n.order()[1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got := n.losses(t); got.Files != 0 || got.Last != number+1 {
			t.Errorf("after the acknowledgement at the other collector: %+v", got)
		}
	})
}

// TestAnAgentSendsToACollectorOfTheVersionBefore: its losses stay, because that version cannot
// acknowledge them.
func TestAnAgentSendsToACollectorOfTheVersionBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, _ := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		n.file.Losses.Add(checkpoint.Loss{Path: "a", Bytes: 3, AtUnix: 100})
		first.version, first.acknowledged = protocol.Version2, n.file.Losses.Count().Last
		n.sending()
		n.put(t, s, 0, 100)
		time.Sleep(10 * time.Second)
		first.whole(t, 0, 100)
		if st := n.State(); !st.Connected || st.Error != "" {
			t.Errorf("%+v", st)
		}
		if got := n.losses(t); got.Files != 1 {
			t.Errorf("%+v", got)
		}
	})
}
