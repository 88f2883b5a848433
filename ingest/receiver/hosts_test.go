package receiver

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"sluice/ingest/agent"
	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/schema"
)

// host returns the collector's state of web01.
func (c *runningCollector) host() Host {
	for _, h := range c.receiver.Hosts() {
		if h.Name == "web01" {
			return h
		}
	}
	return Host{}
}

// A collector reports the hosts that prefer it as missing, also after a restart, but not a host
// that was connected only while its own collector was away, nor a retired one.
func TestHostsThatPreferACollectorAreReportedMissing(t *testing.T) {
	root, logs := t.TempDir(), t.TempDir()
	one, two := collect(t, filepath.Join(root, "c1"), "127.0.0.1:0", 0), collect(t, filepath.Join(root, "c2"), "127.0.0.1:0", 0)
	write(t, logs, "a.log", lines(0, 10))
	s := follow(t, logs, one.address, two.address)
	if agent.Preference("web01", []string{one.address, two.address})[0] == two.address { // it depends on the ports
		one, two = two, one
	}
	await(t, "connected to the first choice", func() bool { return s.State().Connected && s.State().Collector == one.address })
	one.received(t, s, 10)
	await(t, "a heartbeat", func() bool { return !one.host().BeatAt.IsZero() })
	if h := one.host(); !h.Missed || h.Earlier || h.Connections != 1 {
		t.Errorf("the first choice: %+v", h)
	}
	one.end(t, false)
	await(t, "a heartbeat to the second", func() bool { return !two.host().BeatAt.IsZero() })
	if two.host().Missed {
		t.Error("the second choice expects a host that prefers another collector")
	}
	s.end(t)
	two.end(t, false)

	again := collect(t, one.dir, one.address, 0)
	if h := again.host(); !h.Missed || !h.Earlier || h.Seen.IsZero() {
		t.Errorf("after a restart: %+v", h)
	}
	again.end(t, false)
	other := collect(t, two.dir, two.address, 0)
	if h := other.host(); h.Name != "" {
		t.Errorf("the second choice after a restart: %+v", h)
	}
	other.end(t, false)
	retired, err := New(Config{Checkpoint: again.receiver.cfg.Checkpoint, Collector: again.core, Retired: []string{"web01"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer retired.Close()
	if left := retired.Hosts(); len(left) > 0 {
		t.Errorf("a host that is retired: %+v", left)
	}
}

// A heartbeat reports what is written and stored of the logs that exist, and the age of what is not
// stored.
func TestAHeartbeatReportsWrittenAndStoredBytes(t *testing.T) {
	logs := t.TempDir()
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	text := lines(0, 100) // too few to fill a segment
	write(t, logs, "a.log", text)
	s := follow(t, logs, c.address)
	c.received(t, s, 100)
	size := int64(len(text))
	counters := func() map[string]int64 { return c.host().Beat.Counters }
	await(t, "all is received, and not stored", func() bool {
		n := counters()
		return n[protocol.Files] == 1 && n[protocol.WrittenBytes] == size && n[protocol.ReadBytes] == size && n[protocol.ReceivedBytes] == size
	})
	if n := counters(); n[protocol.StoredBytes] != 0 || n[protocol.UnreceivedMs] != 0 || n[protocol.UnstoredMs] == 0 {
		t.Errorf("%v", n)
	}
	if c.core.State().Waiting["web01"].UnstoredSeconds == 0 {
		t.Error("the collector does not report what is not stored")
	}
	s.end(t)
	c.end(t, false)
}

// Each host has some batches in flight, so many hosts are asked for smaller ones.
func TestManyHostsAreAskedForSmallerBatches(t *testing.T) {
	r := &Receiver{hosts: map[string]*Host{}}
	for _, c := range []struct{ hosts, want int }{{0, maxBatchBytes}, {32, maxBatchBytes}, {64, maxBatchBytes / 2}, {128, minBatchBytes}, {1000, minBatchBytes}} {
		for len(r.hosts) < c.hosts {
			r.hosts[fmt.Sprint(len(r.hosts))] = &Host{}
		}
		if got := r.batchBytes(); got != c.want {
			t.Errorf("%d hosts are asked for batches of %d bytes, want %d", c.hosts, got, c.want)
		}
	}
}

// The kernel gives up the connection of a host without power many minutes after its last message.
func TestTheEndOfAConnectionDoesNotCountAsAMessage(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	heard := now
	r := &Receiver{cfg: Config{Now: func() time.Time { return now }}, hosts: map[string]*Host{}, live: map[schema.StreamID]int{}}
	agents := &session{Receiver: r, host: "web01", streams: map[schema.StreamID]*namedStream{7: {tracked: &checkpoint.Stream{}}}}
	flumes := &flumeSession{Receiver: r, hosts: map[string]bool{"web02": true}}
	r.note("web01", func(h *Host) { h.Connections++; h.sessions[agents] = true })
	r.note("web02", func(h *Host) { h.Connections++ })
	now = now.Add(16 * time.Minute)
	agents.forgetStream(7, agents.streams[7])
	agents.Close()
	flumes.Close()
	for _, h := range r.Hosts() {
		if !h.Seen.Equal(heard) || h.Connections != 0 {
			t.Errorf("%s: seen %v after its last message, %d connections", h.Name, h.Seen.Sub(heard), h.Connections)
		}
	}
}
