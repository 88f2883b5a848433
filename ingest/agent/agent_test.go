package agent

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/protocol"
	"sluice/ingest/tail"
	"sluice/schema"
)

// The agent goes to the next collector after FailoverAfter, not before, and returns to the first
// when it is reachable again.
func TestFailoverAfterFailoverAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, second := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		first.away = true
		n.sending()
		n.put(t, s, 0, 100)
		time.Sleep(29 * time.Second)
		if second.hellos() > 0 {
			t.Error("the agent left its first collector before FailoverAfter")
		}
		time.Sleep(2 * maxPause)
		if at := n.State(); !at.Connected || at.Collector != n.order()[1] {
			t.Errorf("the agent is not connected to the second collector: %+v", at)
		}
		second.whole(t, 0, 100)
		first.set(func(f *far) { f.away = false })
		time.Sleep(31*time.Second + MaxLeaving) // nothing is stored
		if at := n.State(); !at.Connected || at.Collector != n.order()[0] {
			t.Errorf("the agent did not return to the first collector: %+v", at)
		}
	})
}

// With FailoverAfter 0 the agent waits for its first collector without limit.
func TestWithoutFailoverTheAgentWaitsForItsCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, second := agentOf(t, func(c *Config) { c.FailoverAfter = 0 })
		defer n.close()
		s := n.stream(t)
		first.away = true
		n.sending()
		n.put(t, s, 0, 100)
		time.Sleep(time.Hour)
		if second.hellos() > 0 {
			t.Error("the agent connected to another collector")
		}
		first.set(func(f *far) { f.away = false })
		time.Sleep(2 * maxPause) // the longest pause, with Spread
		first.whole(t, 0, 100)
	})
}

// After a broken connection, what the collector has is not sent again, and the rest is sent from
// the window.
func TestUnacknowledgedBatchesAreSentAgainAfterABrokenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, _ := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		first.busy = "of no room"
		n.sending()
		n.put(t, s, 0, 100)
		synctest.Wait()
		if size := n.State().UnacknowledgedBytes; size != 100 {
			t.Fatalf("%d bytes are unacknowledged", size)
		}
		first.set(func(f *far) { // it received 40 bytes, but the acknowledgement was lost
			f.busy, f.have[s.ID] = "", protocol.Position{Stream: s.ID, Received: 40}
		})
		first.cut(false)
		time.Sleep(time.Second)
		first.whole(t, 40, 100)
		if size := n.State().UnacknowledgedBytes; size != 0 {
			t.Errorf("%d bytes are still unacknowledged", size)
		}
	})
}

// After the end nothing is read any more. A collector that lost its data must then not be sent what
// follows the gap, nor be called again and again.
func TestNothingIsSentAfterAGapAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, _ := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		n.sending()
		n.put(t, s, 0, 100)
		synctest.Wait()
		first.set(func(f *far) { f.busy = "the spool is full" })
		n.put(t, s, 100, 200)
		synctest.Wait()
		n.window.end()
		first.set(func(f *far) { f.busy, f.have = "", map[schema.StreamID]protocol.Position{} })
		first.cut(false)
		time.Sleep(time.Minute)
		first.whole(t, 0, 100)
		if hellos := first.hellos(); hellos > 3 || n.State().UnacknowledgedBytes > 0 {
			t.Errorf("%d hellos, state %+v", hellos, n.State())
		}
		if got := n.stored(t, s.ID); got != 0 {
			t.Errorf("%d bytes are stored according to the checkpoint", got)
		}
	})
}

// A busy collector is offered batches at growing intervals, and nothing is lost when it accepts
// them again.
func TestABusyCollectorIsOfferedBatchesAtGrowingIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, _ := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		first.busy = "the spool is full"
		n.sending()
		n.put(t, s, 0, 1000)
		time.Sleep(time.Minute)
		first.set(func(f *far) {
			// After pauses of 0.25, 0.5, 1 … 10 s, each time up to callsInFlight batches.
			if rounds := f.offers / callsInFlight; rounds > 12 || f.offers < 8 {
				t.Errorf("%d offers in a minute", f.offers)
			}
			f.busy = ""
		})
		if at := n.State(); at.Busy != "the spool is full" || at.BusySince == nil || at.UnacknowledgedBytes != 1000 {
			t.Errorf("%+v", at)
		}
		time.Sleep(maxPause)
		first.whole(t, 0, 1000)
		if at := n.State(); at.Busy != "" || at.BusySince != nil {
			t.Errorf("%+v", at)
		}
	})
}

// Only stored positions are saved, not received ones, and a position never decreases.
func TestOnlyStoredPositionsAreSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, first, _ := agentOf(t, nil)
		defer n.close()
		s := n.stream(t)
		n.sending()
		n.put(t, s, 0, 1000)
		synctest.Wait()
		first.whole(t, 0, 1000)
		for _, step := range []struct{ says, want int64 }{{0, 0}, {400, 400}, {100, 400}, {1000, 1000}} {
			first.set(func(f *far) { f.have[s.ID] = protocol.Position{Stream: s.ID, Received: 1000, Stored: step.says} })
			time.Sleep(2 * n.cfg.Heartbeat)
			synctest.Wait()
			if got := n.stored(t, s.ID); got != step.want {
				t.Errorf("after a report of %d the checkpoint has %d, want %d", step.says, got, step.want)
			}
		}
	})
}

// following runs an agent that follows a log in dir, with short intervals.
func following(t *testing.T, dir string) (n *near, first, second *far, end func() error) {
	t.Helper()
	n, first, second = agentOf(t, logsIn(dir))
	return n, first, second, running(n)
}

// logsIn configures an agent to follow a log in dir, with short intervals.
func logsIn(dir string) func(*Config) {
	return func(c *Config) {
		c.FailoverAfter, c.Heartbeat, c.Drain = time.Millisecond, 5*time.Millisecond, 10*time.Millisecond
		c.Tail.Sources, c.Tail.Latency = []tail.Source{{Pattern: filepath.Join(dir, "*.log"), Format: "common"}}, time.Millisecond
	}
}

// running runs an agent until end is called, which returns its error.
func running(n *near) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

// await polls until so returns true.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(5 * time.Minute); !so(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("timed out waiting for: ", what)
		}
	}
}

// A collector that has no lines is sent, from the log, all that is not stored: what another
// collector received and did not store may be lost.
func TestACollectorWithoutLinesIsSentWhatIsNotStored(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.log"), []byte(lines(100)), 0o600); err != nil {
		t.Fatal(err)
	}
	n, first, second, end := following(t, dir)
	defer n.close()
	await(t, "the first has all", func() bool { first.mu.Lock(); defer first.mu.Unlock(); return received(first) == 1000 })
	first.whole(t, 0, 1000)
	id := n.file.Streams()[0].ID
	first.set(func(f *far) { f.have[id] = protocol.Position{Stream: id, Received: 1000, Stored: 400} })
	await(t, "it is remembered", func() bool { return n.stored(t, id) == 400 })
	first.cut(true)
	await(t, "the second has all", func() bool { second.mu.Lock(); defer second.mu.Unlock(); return received(second) == 1000 })
	second.whole(t, 400, 1000)
	if err := end(); err != nil {
		t.Error(err)
	}
	if got := n.stored(t, id); got != 400 {
		t.Errorf("%d bytes are stored according to the checkpoint", got)
	}
}

// received returns the received position of f's only stream. f.mu must be held.
func received(f *far) (to int64) {
	for _, p := range f.have {
		to = max(to, p.Received)
	}
	return to
}

// Run returns after Drain if no collector answers; what it read stays in the log.
func TestAnAgentEndsIfNoCollectorAnswers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.log"), []byte(lines(100)), 0o600); err != nil {
		t.Fatal(err)
	}
	n, first, _, end := following(t, dir)
	defer n.close()
	first.set(func(f *far) { f.busy = "the spool is full" })
	await(t, "it is busy", func() bool { return n.State().Busy != "" })
	if err := end(); err != nil {
		t.Error(err)
	}
	if got := n.stored(t, n.file.Streams()[0].ID); got != 0 {
		t.Errorf("%d bytes are stored according to the checkpoint", got)
	}
}

// Hosts are distributed over the collectors, and removing a collector moves only its own hosts.
func TestHostsShareCollectors(t *testing.T) {
	three := []string{"c1:4141", "c2:4141", "c3:4141"}
	count := map[string]int{}
	for i := range 300 {
		host := "web" + schema.StreamID(i).String()
		order := Preference(host, three)
		count[order[0]]++
		if order[2] != Preference(host, []string{order[2], order[0]})[1] || order[0] != Preference(host, []string{order[2], order[0]})[0] {
			t.Errorf("%s: the order of the remaining collectors changed", host)
		}
	}
	for address, hosts := range count {
		if hosts < 60 || len(count) != 3 {
			t.Errorf("%s has %d of 300 hosts: %v", address, hosts, count)
		}
	}
}
