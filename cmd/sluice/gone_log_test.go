package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/ingest/agent"
	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
)

// lastWords is a log whose agent is stopped when the collector has received its lines and not
// stored them.
type lastWords struct {
	*rotated
	host, status string
	collector    *follower
	collects     []string
	sends        []string
}

// newLastWords returns a log and the arguments of its collector and its agent. Nothing is stored
// before the collector ends.
func newLastWords(t *testing.T) *lastWords {
	t.Helper()
	l := &lastWords{rotated: newRotated(t), host: "web01", status: freeAddress(t)}
	address := freeAddress(t)
	l.collects = []string{"--quiet", "--data", t.TempDir(), "collector", "--listen", address, "--roll-interval", "1h", "--status-listen", l.status}
	l.sends = agentArgs(l.data, l.host, address, l.path("access.log"))
	return l
}

// sent starts collector and agent, and ends the agent with a signal when the collector has received
// the lines.
func (l *lastWords) sent(end os.Signal) {
	l.Helper()
	l.collector = start(l.T, l.collects...)
	c := start(l.T, l.sends...)
	c.await(l.T, func() bool { h := askHealth(l.T, l.status); return h != nil && h.Metrics[l.host].Lines == int64(l.n) })
	l.must(c.Process.Signal(end))
	c.Wait() //nolint:errcheck // it was killed, or its end is checked by what it leaves
}

// store restarts the collector, which stores what it has.
func (l *lastWords) store() {
	l.Helper()
	l.must(l.collector.end(l.T))
	l.collector = start(l.T, l.collects...)
}

// is waits until /health has the new log, with losses of so many bytes.
func (l *lastWords) is(c *follower, bytes int64) {
	l.Helper()
	c.await(l.T, func() bool {
		h := askHealth(l.T, l.status)
		if h == nil {
			return false
		}
		x := h.Metrics[l.host]
		return x.Connections == 1 && x.ReceivedBytes == x.WrittenBytes && x.ReceivedBytes >= int64(len(l.read("access.log"))) && x.LostBytes == bytes
	})
}

// TestWhatACollectorHasIsNotReportedAsLost stops an agent whose lines are received and not stored,
// and changes the log. Lines that the collector has must not be reported as lost, whether it stores
// them before the agent returns or later, and its positions must not be reported as impossible.
func TestWhatACollectorHasIsNotReportedAsLost(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name   string
		end    os.Signal
		stored bool // before the agent returns
		change func(l *lastWords)
		// lost is the number of logs of which more may be lost. -1: of a log that was just created, a
		// killed agent may have saved nothing but its beginning.
		lost int64
	}{
		{"ended, log deleted", syscall.SIGTERM, false, func(l *lastWords) { l.must(os.Remove(l.path("access.log"))) }, 1},
		{"ended, stored, log deleted", syscall.SIGTERM, true, func(l *lastWords) { l.must(os.Remove(l.path("access.log"))) }, 1},
		{"killed, log deleted", syscall.SIGKILL, false, func(l *lastWords) { l.must(os.Remove(l.path("access.log"))) }, -1},
		{"killed, stored, log truncated", syscall.SIGKILL, true, func(l *lastWords) { l.must(os.Truncate(l.path("access.log"), 0)) }, -1},
		{"killed, stored, log moved away", syscall.SIGKILL, true, func(l *lastWords) {
			l.must(os.Rename(l.path("access.log"), filepath.Join(l.data, "access.log")))
		}, -1},
		{"killed, stored, log renamed", syscall.SIGKILL, true, func(l *lastWords) { l.must(os.Rename(l.path("access.log"), l.path("access.log.1"))) }, 0},
		{"killed, stored, log compressed", syscall.SIGKILL, true, func(l *lastWords) {
			l.compress("access.log", "access.log.1.gz")
			l.must(os.Remove(l.path("access.log")))
		}, 0},
		{"killed, stored, log copied and truncated", syscall.SIGKILL, true, func(l *lastWords) {
			l.copy("access.log", "access.log.1")
			l.must(os.Truncate(l.path("access.log"), 0))
		}, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			l := newLastWords(t)
			l.grow("access.log", 13)
			l.sent(x.end)
			x.change(l)
			l.grow("access.log", 5)
			if x.stored {
				l.store()
			}
			c := start(t, l.sends...)
			l.is(c, 0)
			l.store()
			l.is(c, 0)
			if text := c.output(t); strings.Contains(text, "impossible position") {
				t.Error(text)
			}
			at := askHealth(t, l.status).Metrics[l.host]
			if reasons := strings.Join(at.Reasons, "\n"); strings.Contains(reasons, "ignored") || x.lost > 0 && !strings.Contains(reasons, "if anything, was not read") {
				t.Error(reasons)
			}
			if at.LostFiles != x.lost && x.lost >= 0 {
				t.Errorf("%d logs are lost, want %d", at.LostFiles, x.lost)
			}
			l.must(c.end(t))
			l.must(l.collector.end(t))
			sameLines(t, "archive", archived(t, filepath.Join(l.collects[2], "archive")), l.written.Bytes())
		})
	}
}

// TestALossIsCorrectedWhenTheHostsCollectorReturns: the lines of a log that was deleted are at a
// collector that is down when the agent starts, so they count as lost at the other one until then.
func TestALossIsCorrectedWhenTheHostsCollectorReturns(t *testing.T) {
	t.Parallel()
	l := newLastWords(t)
	order := agent.Preference(l.host, []string{freeAddress(t), freeAddress(t)})
	l.collects[5] = order[0]
	l.sends = append(agentArgs(l.data, l.host, strings.Join(order, ","), l.path("access.log")), "--failover-after", "1s")
	l.grow("access.log", 13)
	bytes := int64(l.written.Len())
	l.sent(syscall.SIGTERM)
	l.must(l.collector.Process.Kill())
	l.collector.Wait() //nolint:errcheck // it was killed
	l.must(os.Remove(l.path("access.log")))
	l.grow("access.log", 5)
	other := *l
	other.status = freeAddress(t)
	second := start(t, append(collectorArgs(t.TempDir(), order[1]), "--status-listen", other.status)...)
	c := start(t, l.sends...)
	other.is(c, bytes)
	l.collector = start(t, l.collects...)
	l.is(c, 0)
	for _, p := range []*follower{c, second, l.collector} {
		l.must(p.end(t))
	}
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(l.data, "checkpoint"), "")
	l.must(err)
	if lost := file.Losses.Count(); lost.Bytes != 0 || lost.Files != 1 {
		t.Errorf("%d bytes in %d logs are lost", lost.Bytes, lost.Files)
	}
}
