package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
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
	s := n.stream(t)
	for _, step := range []struct {
		reports int64
		gone    bool
		less    bool
	}{{500, true, false}, {500, true, false}, {300, true, true}, {400, true, false}, {0, false, false}, {700, false, false}, {0, true, true}, {0, true, false}} {
		n.file.Update(func() { s.GoneUnix = 0 })
		if step.gone {
			n.file.Update(func() { s.GoneUnix = 1 })
		}
		x := &session{env: n.env, claimed: newClaims()}
		x.claimed.note(s.ID, step.reports)
		n.claims.owe(false)
		x.publishClaims()
		if less := n.claims.readsAgain(n.window, n.file); less != step.less || n.claims.of(s.ID) != step.reports {
			t.Errorf("%+v: less: %v, claim %d", step, less, n.claims.of(s.ID))
		}
	}
}

// TestLogsAreNotReadAgainWhileOnlyTheWindowHasLines: reading again empties the window, and no log has
// the lines of one that is gone.
func TestLogsAreNotReadAgainWhileOnlyTheWindowHasLines(t *testing.T) {
	n, _, _ := agentOf(t, nil)
	n.close()
	s := n.stream(t)
	n.claims.owe(true)
	if !n.claims.readsAgain(n.window, n.file) {
		t.Error("with an empty window")
	}
	n.put(t, s, 0, 20)
	if !n.claims.readsAgain(n.window, n.file) {
		t.Error("with lines of a log that is there")
	}
	n.file.Update(func() { s.GoneUnix = 1 })
	if n.claims.readsAgain(n.window, n.file) {
		t.Error("with lines of a log that is gone")
	}
	n.window.remove(func(*encodedBatch) bool { return true })
	if !n.claims.readsAgain(n.window, n.file) {
		t.Error("after they were sent")
	}
}

// claimed lets an agent send a log of 1,000 bytes to its first collector, connect to it again, so
// that it reports what it has, and removes the log.
func claimed(t *testing.T, change func(*Config)) (n *near, first, second *far, s *checkpoint.Stream, end func() error) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "a.log")
	if err := os.WriteFile(log, []byte(lines(100)), 0o600); err != nil {
		t.Fatal(err)
	}
	n, first, second = agentOf(t, func(c *Config) {
		logsIn(dir)(c)
		if change != nil {
			change(c)
		}
	})
	end = running(n)
	await(t, "the first has all", func() bool { first.mu.Lock(); defer first.mu.Unlock(); return received(first) == 1000 })
	s = n.file.Streams()[0]
	first.cut(false)
	await(t, "the claim", func() bool { return n.claims.of(s.ID) == 1000 })
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	await(t, "the log is gone", func() (gone bool) { n.file.Update(func() { gone = s.GoneUnix != 0 }); return gone })
	return n, first, second, s, end
}

// TestLinesThatOnlyAnUnreachableCollectorHasAreALoss: no log has them and the collector may have
// lost its disk. If it returns with its data, nothing was lost.
func TestLinesThatOnlyAnUnreachableCollectorHasAreALoss(t *testing.T) {
	for name, restarted := range map[string]bool{"read by this reader": false, "read by an earlier reader": true} {
		t.Run(name, func(t *testing.T) {
			n, first, second, s, end := claimed(t, nil)
			defer n.close()
			if restarted {
				readAgain(t, n, s)
			}
			first.cut(true)
			await(t, "the loss", func() bool { return n.file.Losses.Count().Bytes == 1000 })
			await(t, "the heartbeat", func() bool { return n.Heartbeat().Counters[protocol.LostBytes] == 1000 })
			first.set(func(f *far) { f.away = false })
			second.cut(true)
			await(t, "the correction", func() bool { return n.file.Losses.Count().Files == 0 })
			second.set(func(f *far) {
				if len(f.took) > 0 {
					t.Errorf("the second collector was sent %v of a log that is gone", f.took)
				}
			})
			first.set(func(f *far) { f.have[s.ID] = protocol.Position{Stream: s.ID, Received: 1000, Stored: 600} })
			await(t, "the stored position", func() bool { return n.stored(t, s.ID) == 600 })
			first.whole(t, 0, 1000)
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestACollectorThatIsAwayForAMomentCausesNoLoss: until another collector has answered, the first one
// is expected to have what it reported, also if the logs are read again meanwhile.
func TestACollectorThatIsAwayForAMomentCausesNoLoss(t *testing.T) {
	n, first, second, s, end := claimed(t, func(c *Config) { c.FailoverAfter = time.Hour })
	defer n.close()
	first.cut(true)
	await(t, "it is away", func() bool { return !n.State().Connected })
	readAgain(t, n, s)
	first.cut(false)
	await(t, "it is connected", func() bool { return n.State().Connected })
	readAgain(t, n, s)
	second.set(func(f *far) {
		if l := n.file.Losses.All(); len(l) > 0 || len(f.took) > 0 {
			t.Errorf("sent to the second collector: %v, losses %+v", f.took, l)
		}
	})
	if got := n.claims.of(s.ID); got != 1000 {
		t.Errorf("a claim of %d", got)
	}
	first.whole(t, 0, 1000)
	if err := end(); err != nil {
		t.Error(err)
	}
}

// readAgain lets the reader begin again at what is stored, as after a restart, and waits until its
// tailer has searched for the gone log s.
func readAgain(t *testing.T, n *near, s *checkpoint.Stream) {
	t.Helper()
	n.file.Update(func() { s.GoneUnix = 1 })
	if err := n.reader.restart(t.Context(), map[schema.StreamID]int64{s.ID: 0}); err != nil {
		t.Fatal(err)
	}
	await(t, "the search", func() (searched bool) {
		n.file.Update(func() { searched = s.GoneUnix > 1 })
		return searched
	})
}

// TestALossIsCorrectedByWhatIsStored: the process that received the position ended before it
// corrected the loss, and the collector reports nothing beyond what is stored to the next one.
func TestALossIsCorrectedByWhatIsStored(t *testing.T) {
	n, _, s := goneLog(t, true)
	defer n.close()
	for _, f := range n.far {
		f.away = true
	}
	end := running(n)
	await(t, "a loss", func() bool { return n.file.Losses.Count().Bytes == 1000 })
	n.file.Update(func() { s.Stored = 1000 })
	for _, f := range n.far {
		f.set(func(f *far) {
			f.away = false
			f.have[s.ID] = protocol.Position{Stream: s.ID, Received: 1000, Stored: 1000}
		})
	}
	await(t, "its correction", func() bool { return n.file.Losses.Count().Bytes == 0 })
	if err := end(); err != nil {
		t.Error(err)
	}
}
