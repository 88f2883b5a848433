package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/monitor/watch"
)

// A command that was killed has left its request. It must not acknowledge losses that come later.
func TestARequestToAcknowledgeWhoseCommandIsGoneIsIgnored(t *testing.T) {
	for _, test := range []struct {
		age     time.Duration
		applied bool
	}{{0, true}, {ackWait, true}, {ackWait + time.Second, false}, {-time.Second, true}, {-time.Hour, false}} { // or the clock was set back
		synctest.Test(t, func(t *testing.T) { // for a clock that stands still
			data := t.TempDir()
			file, err := checkpoint.Open(vfs.OS{}, filepath.Join(data, "checkpoint"), "a")
			if err != nil {
				t.Fatal(err)
			}
			file.Losses.Add(checkpoint.Loss{Path: "/log/access.log", Bytes: 100})
			hosts, err := watch.Open(vfs.OS{}, watchPath(data))
			if err != nil {
				t.Fatal(err)
			}
			request, answer, written := filepath.Join(data, ackName), filepath.Join(data, ackAnswer), time.Now().Add(-test.age)
			if err := errors.Join(os.WriteFile(request, []byte(`{"lost":true}`), 0o600), os.Chtimes(request, written, written)); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			a := &app{cli: &cli{Data: data}, log: slog.New(slog.NewTextHandler(&log, nil))}
			asked := a.acknowledge(&watching{file: hosts, awake: watch.NewAwake(time.Now())}, "web01", file, nil)
			if left := file.Losses.Count().Files; asked != test.applied || (left == 0) != test.applied {
				t.Errorf("age %s: answered %t, and %d losses are left", test.age, asked, left)
			}
			if exists(request) || exists(answer) != test.applied {
				t.Errorf("age %s: request left: %t, answer: %t", test.age, exists(request), exists(answer))
			}
			if logged := strings.Contains(log.String(), "old request to acknowledge"); logged == test.applied {
				t.Errorf("age %s: the log has %s", test.age, &log)
			}
		})
	}
}

// TestALossAcknowledgedAtTheCollectorLeavesTheAgent: an agent was stopped while its log was replaced.
// Agent and collector are killed around the acknowledgement; it must reach the agent's checkpoint,
// not come back, and not cover a later loss. The test takes some heartbeats, of three seconds each.
func TestALossAcknowledgedAtTheCollectorLeavesTheAgent(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	data, address, status := t.TempDir(), freeAddress(t), freeAddress(t)
	collectorRuns := append(collectorArgs(data, address), "--status-listen", status)
	agentRuns := agentArgs(r.data, "web03", address, r.path("*.log"))
	losses := func() checkpoint.LossCount {
		file, err := checkpoint.Open(vfs.OS{}, filepath.Join(r.data, "checkpoint"), "")
		r.must(err)
		return file.Losses.Count()
	}
	kill := func(c *follower) {
		t.Helper()
		r.must(c.Process.Kill())
		_ = c.Wait() // it was killed
	}
	// isAs waits until the collector has a heartbeat with some losses, and the host is OKAY if they
	// are acknowledged.
	isAs := func(c *follower, lost int64, well bool) {
		t.Helper()
		c.await(t, func() bool {
			h := askHealth(t, status)
			if h == nil || h.Metrics["web03"].Files == 0 || h.Metrics["web03"].LostFiles != lost {
				return false
			}
			return h.Well() == well && strings.Contains(strings.Join(h.Metrics["web03"].Reasons, " "), "deleted before they were read") != well
		})
	}
	ack := func(want string) {
		t.Helper()
		if output := answerOf(t, data, "ack", "web03", "--lost"); !strings.Contains(output, want) {
			t.Errorf("ack printed %s", output)
		}
	}
	replaced := func() { // while no agent runs
		r.must(os.Remove(r.path("access.log")))
		r.grow("access.log", 5)
	}

	r.grow("access.log", 13)
	collector, agent := start(t, collectorRuns...), start(t, agentRuns...)
	agent.await(t, func() bool { h := askHealth(t, status); return h != nil && h.Metrics["web03"].ReceivedBytes > 0 })
	r.must(agent.end(t))
	replaced()
	agent = start(t, agentRuns...)
	isAs(collector, 1, false)
	agent.await(t, func() bool { return losses().Files == 1 })
	kill(agent)
	ack("acknowledged=1")
	kill(collector)

	collector, agent = start(t, collectorRuns...), start(t, agentRuns...)
	agent.await(t, func() bool { return losses().Files == 0 })
	kill(agent)
	kill(collector)
	collector, agent = start(t, collectorRuns...), start(t, agentRuns...)
	isAs(collector, 0, true)
	if got := losses(); got.Files != 0 {
		t.Errorf("after a restart: %+v", got)
	}

	r.must(agent.end(t))
	replaced()
	agent = start(t, agentRuns...)
	isAs(collector, 1, false)
	ack("acknowledged=1")
	agent.await(t, func() bool { return losses().Files == 0 })
	ack("acknowledged=0")
	r.must(agent.end(t))
	r.must(collector.end(t))
}
