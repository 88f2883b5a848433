package receiver

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice/schema"
)

// After a host was rebuilt its log has the path, inode and first line of a log that the collector
// knows, and the agent has no checkpoint. All of its lines are sent.
func TestARebuiltHostsLogIsAnotherLog(t *testing.T) {
	for name, later := range map[string]string{"longer": lines(5000, 300), "shorter": lines(5000, 50)} {
		t.Run(name, func(t *testing.T) {
			dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
			c := collect(t, dir, "127.0.0.1:0", 0)
			old := lines(0, 101)
			write(t, logs, "a.log", old)
			s := follow(t, logs, c.address)
			c.received(t, s, 101)
			s.end(t)
			rebuilt := lines(0, 1) + later
			if err := errors.Join(os.Remove(filepath.Join(logs, "checkpoint")), os.Truncate(filepath.Join(logs, "a.log"), 0)); err != nil {
				t.Fatal(err)
			}
			write(t, logs, "a.log", rebuilt)
			s = follow(t, logs, c.address)
			await(t, "all is received", func() bool { return c.core.Counters.Bytes.Load() == int64(len(old)+len(rebuilt)) })
			s.end(t)
			c.end(t, false)
			c.holds(t, old+rebuilt)
		})
	}
}

// An agent without its checkpoint continues with the same log; what the collector has is not sent
// again.
func TestAnAgentWithoutItsCheckpointContinuesTheSameLog(t *testing.T) {
	dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
	c := collect(t, dir, "127.0.0.1:0", 0)
	write(t, logs, "a.log", lines(0, 101))
	s := follow(t, logs, c.address)
	c.received(t, s, 101)
	s.end(t)
	if err := os.Remove(filepath.Join(logs, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	write(t, logs, "a.log", lines(101, 10))
	s = follow(t, logs, c.address)
	await(t, "the rest is received", func() bool { return c.core.Counters.Lines.Load() == 111 && s.State().UnacknowledgedBytes == 0 })
	s.end(t)
	c.end(t, false)
	c.holds(t, lines(0, 111))
}

// Without TLS anybody can write to an agent's stream under its host's name. The agent detects the
// other lines, and its own lines are all stored; those that were received but not stored by then
// are stored twice.
func TestAnotherSendersLinesInAStreamLoseNoneOfTheAgents(t *testing.T) {
	dir, logs := filepath.Join(t.TempDir(), "c1"), t.TempDir()
	c := collect(t, dir, "127.0.0.1:0", 0)
	write(t, logs, "a.log", lines(0, 100))
	s := follow(t, logs, c.address)
	c.received(t, s, 100)
	id, size := s.file.Streams()[0].ID, int64(len(lines(0, 100)))
	evil := dial(t, c.address)
	forged := lines(7000, 20)
	evil.hello("web01", named(id, 0))
	evil.append(id, size, forged)
	write(t, logs, "a.log", lines(100, 50))
	await(t, "the agent's lines are received", func() bool {
		return s.State().UnacknowledgedBytes == 0 && c.stores(t, s.file.Streams()[0].ID, size+int64(len(lines(100, 50))))
	})
	evil.close()
	s.end(t)
	c.end(t, false)
	c.holds(t, lines(0, 150)+forged+lines(0, 100))
}

// stores reports whether a stream of web01 is received up to a position.
func (c *runningCollector) stores(t *testing.T, id schema.StreamID, to int64) bool {
	t.Helper()
	if err := c.core.Tick(time.Now()); err != nil {
		t.Fatal(err)
	}
	x := c.receiver.cfg.Checkpoint.Declared.Known("web01", id)
	return x != nil && c.core.Position(x, to-1).Received >= to
}
