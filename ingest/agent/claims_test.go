package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/ingest/segment/vfs"
)

// goneLog lets an agent send a log of 1,000 bytes and end, removes the log, and returns the next
// process's agent before it runs, with the same collectors. saved is what the checkpoint has of the
// log's last bytes: if it is false, the process was killed before it saved them.
func goneLog(t *testing.T, saved bool) (n *near, first *far, s *checkpoint.Stream) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "a.log")
	if err := os.WriteFile(log, []byte(lines(100)), 0o600); err != nil {
		t.Fatal(err)
	}
	before, first, _, end := following(t, dir)
	await(t, "the first has all", func() bool { first.mu.Lock(); defer first.mu.Unlock(); return received(first) == 1000 })
	if err := end(); err != nil {
		t.Fatal(err)
	}
	before.close()
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	n, again, _ := agentOf(t, logsIn(dir))
	again.have, again.tails = first.have, first.tails
	s = before.file.Streams()[0]
	if !saved {
		before.file.Update(func() { s.TailAt, s.TailBytes, s.SeenBytes = 0, 0, 0 })
	}
	if err := before.file.Save(); err != nil {
		t.Fatal(err)
	}
	if n.file, s = openAgain(t, before.path); s == nil {
		t.Fatal("no stream")
	}
	n.cfg.Checkpoint, n.path = n.file, before.path
	return n, again, s
}

// openAgain opens a checkpoint with one stream.
func openAgain(t *testing.T, path string) (*checkpoint.File, *checkpoint.Stream) {
	t.Helper()
	file, err := checkpoint.Open(vfs.OS{}, path, "")
	if err != nil {
		t.Fatal(err)
	}
	return file, file.Streams()[0]
}

// TestWhatTheCollectorHasOfAGoneLogIsNotLost: the log was still written, so more may be lost.
func TestWhatTheCollectorHasOfAGoneLogIsNotLost(t *testing.T) {
	for name, saved := range map[string]bool{"ended": true, "killed": false} {
		t.Run(name, func(t *testing.T) {
			n, first, s := goneLog(t, saved)
			defer n.close()
			end := running(n)
			await(t, "a loss", func() bool { return len(n.file.Losses.All()) == 1 && n.file.Losses.All()[0].From == 1000 })
			if l := n.file.Losses.All()[0]; l.Bytes != 0 || !l.Unknown || !strings.Contains(l.String(), "after byte 1000, if anything") {
				t.Errorf("%+v: %s", l, l)
			}
			first.set(func(f *far) { f.have[s.ID] = protocol.Position{Stream: s.ID, Received: 1000, Stored: 600} })
			await(t, "the stored position", func() bool { return n.stored(t, s.ID) == 600 })
			if p := strings.Join(n.Heartbeat().Problems, ", "); strings.Contains(p, "ignored") {
				t.Error(p)
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestALossIsCorrectedWhenTheCollectorCanBeAsked: the collector is unreachable when the agent
// starts, so the lines count as lost until it has answered.
func TestALossIsCorrectedWhenTheCollectorCanBeAsked(t *testing.T) {
	n, first, s := goneLog(t, true)
	defer n.close()
	first.have[s.ID] = protocol.Position{Stream: s.ID, Received: 700}
	first.tails[s.ID] = tailOf(s.ID, []byte(lines(70)), 700)
	for _, f := range n.far {
		f.away = true
	}
	end := running(n)
	await(t, "a loss", func() bool { return n.file.Losses.Count().Bytes == 1000 })
	first.set(func(f *far) { f.away = false })
	await(t, "its correction", func() bool { return n.file.Losses.Count().Bytes == 300 })
	await(t, "the heartbeat", func() bool { return n.Heartbeat().Counters[protocol.LostBytes] == 300 })
	if got := n.reader.current().Counters().LostBytes.Load(); got != 300 {
		t.Errorf("the counter has %d lost bytes", got)
	}
	if l := n.file.Losses.All()[0]; l.From != 700 || l.Bytes != 300 {
		t.Errorf("%+v", l)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestACollectorsClaimIsReplacedByItsNextReport: a collector may lose what it had received.
func TestACollectorsClaimIsReplacedByItsNextReport(t *testing.T) {
	n, _, _ := agentOf(t, nil)
	n.close()
	a, b := n.order()[0], n.order()[1]
	n.claims.note(1, a, 500)
	n.claims.note(1, b, 300)
	if got := n.claims.of(1); got != 500 {
		t.Errorf("%d", got)
	}
	n.claims.note(1, a, 0)
	if got := n.claims.of(1); got != 300 {
		t.Errorf("%d", got)
	}
	n.claims.note(1, b, 0)
	if got := n.claims.of(1); got != 0 || len(n.claims.received) != 0 {
		t.Errorf("%d, %v", got, n.claims.received)
	}
}
