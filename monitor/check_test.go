package monitor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/ingest/agent"
	"sluice/ingest/collector"
	"sluice/ingest/governor"
	"sluice/ingest/protocol"
	"sluice/ingest/receiver"
	"sluice/ingest/tail"
)

// now is the time of the collector's clock.
var now = time.Unix(1_800_000_000, 0)

func before(d time.Duration) time.Time { return now.Add(-d) }

var limits = Thresholds{SilentAfter: 2 * time.Minute, MaxLag: 10 * time.Minute, RollInterval: 2 * time.Hour}

// beatAt returns a host that sent a heartbeat at at, and whose clock is wrong by skew.
func beatAt(at time.Time, skew time.Duration, counters map[string]int64) receiver.Host {
	return receiver.Host{Connections: 1, Missed: true, Seen: at, BeatAt: at, Beat: protocol.Heartbeat{TimeMs: at.Add(skew).UnixMilli(), Counters: counters}}
}

const (
	minute = int64(60_000) // ms
	hour   = 60 * minute
)

func TestHealthReportsProblemsOfAHost(t *testing.T) {
	paused := func(skew, since time.Duration) receiver.Host {
		h := beatAt(now, skew, nil)
		h.Beat.Governor = protocol.Governor{PausedSinceMs: now.Add(skew - since).UnixMilli(), Reason: "load"}
		return h
	}
	with := func(h receiver.Host, change func(*receiver.Host)) receiver.Host { change(&h); return h }
	for _, test := range []struct {
		name    string
		host    receiver.Host
		waiting collector.Waiting
		want    string
	}{
		{"a quiet web server at dawn", beatAt(before(3*time.Second), 0, map[string]int64{protocol.WrittenBytes: 9, protocol.StoredBytes: 9}), collector.Waiting{}, ""},
		{"silent", beatAt(before(5*time.Minute), 0, nil), collector.Waiting{}, "silent for 5m0s"},
		{"silent since before we began", receiver.Host{Missed: true, Earlier: true, Seen: before(3 * time.Minute)}, collector.Waiting{}, "silent for 3m0s"},
		{"not here yet, but we just began", receiver.Host{Missed: true, Earlier: true, Seen: before(time.Minute)}, collector.Waiting{}, ""},
		{"gone to the collector that it prefers", with(beatAt(before(time.Hour), 0, map[string]int64{protocol.UnreceivedMs: 5}), func(h *receiver.Host) { h.Missed, h.Connections = false, 0 }), collector.Waiting{}, ""},
		{"a sender without heartbeats that is connected", receiver.Host{Missed: true, Connections: 1, Seen: before(time.Hour)}, collector.Waiting{}, ""},
		{"a sender without heartbeats that is not", receiver.Host{Missed: true, Seen: before(time.Hour)}, collector.Waiting{}, "silent for 1h0m0s"},

		{"unread lines, not old", beatAt(now, 0, map[string]int64{protocol.UnreceivedMs: 9 * minute}), collector.Waiting{}, ""},
		{"old unread lines", beatAt(now, 0, map[string]int64{protocol.UnreceivedMs: 11 * minute}), collector.Waiting{}, "its oldest line is 11m0s old and not received"},
		{"unread lines that grew old since the heartbeat", beatAt(before(time.Minute), 0, map[string]int64{protocol.UnreceivedMs: 9*minute + 1}), collector.Waiting{}, "its oldest line is 10m0s old and not received"},
		{"a sender that says it by stream", with(beatAt(now, -5*time.Hour, nil), func(h *receiver.Host) { h.OldestUnreadMs = h.Beat.TimeMs - 11*minute }), collector.Waiting{}, "its oldest line is 11m0s old and not received"},
		{"not in the table", beatAt(now, 0, nil), collector.Waiting{UntabledSeconds: 700, UnstoredSeconds: 700}, "its oldest line is 11m40s old and not in the table"},
		{"in an open archive file", beatAt(now, 0, map[string]int64{protocol.UnstoredMs: 2 * hour}), collector.Waiting{UnstoredSeconds: 7200}, ""},
		{"not in the archive", beatAt(now, 0, nil), collector.Waiting{UnstoredSeconds: 3 * 3600}, "its oldest line is 3h0m0s old and not in the archive"},
		{"not in the archive, as its agent knows", beatAt(now, 0, map[string]int64{protocol.UnstoredMs: 3 * hour}), collector.Waiting{}, "its oldest line is 3h0m0s old and not in the archive"},

		{"a clock that is an hour ahead", beatAt(now, time.Hour, map[string]int64{protocol.UnreceivedMs: 1000}), collector.Waiting{}, ""},
		{"a clock that is an hour behind", beatAt(now, -time.Hour, map[string]int64{protocol.UnreceivedMs: 1000}), collector.Waiting{}, ""},
		{"paused a moment ago by a clock that is an hour behind", paused(-time.Hour, time.Second), collector.Waiting{}, ""},
		{"paused for long by a clock that is an hour ahead", paused(time.Hour, 20*time.Minute), collector.Waiting{}, "its governor pauses for 20m0s: load"},

		{"refused", with(beatAt(now, 0, nil), func(h *receiver.Host) { h.Refused, h.RefusedAt = 2, before(9*time.Minute) }), collector.Waiting{}, "2 of its batches were refused"},
		{"refused long ago", with(beatAt(now, 0, nil), func(h *receiver.Host) { h.Refused, h.RefusedAt = 2, before(10*time.Minute) }), collector.Waiting{}, ""},
		{"lost lines", beatAt(now, 0, map[string]int64{protocol.LostFiles: 1, protocol.LostBytes: 7}), collector.Waiting{}, "7 bytes in 1 logs were deleted before they were read"},
		{"a reader that died", with(beatAt(now, 0, nil), func(h *receiver.Host) { h.Beat.Problems = []string{"reading is stuck for 5m0s"} }), collector.Waiting{}, "reading is stuck for 5m0s"},
	} {
		f := Fleet{Now: now, Kind: Collector, Hosts: map[string]Host{"web01": Sender(now, test.host, test.waiting, collector.Share{})}}
		h := f.Check(limits)
		x := h.Metrics["web01"]
		if got := strings.Join(x.Reasons, "; "); got != test.want || (x.Status == "OKAY") != (test.want == "") || h.Well() != (test.want == "") {
			t.Errorf("%s: %s, %s: %q, want %q", test.name, h.Status, x.Status, got, test.want)
		}
	}
}

func TestSendersAreTheHostsWithLinesOrAConnection(t *testing.T) {
	hosts := []receiver.Host{
		{Name: "missed", Missed: true, Seen: before(time.Hour)},
		{Name: "away", Seen: before(time.Hour)},
		{Name: "away, with lines here", Seen: before(time.Hour)},
		{Name: "visiting", Seen: before(time.Hour), Connections: 1},
		{Name: "just gone", Seen: before(time.Minute)},
	}
	state := collector.State{Waiting: map[string]collector.Waiting{"away, with lines here": {UnstoredSeconds: 5}, "of an earlier process": {UntabledSeconds: 7, UnstoredSeconds: 8}}}
	f := Fleet{Now: now, Hosts: Senders(now, hosts, &state)}
	f.Remember(nil, nil)
	got := f.Hosts
	for name, want := range map[string]bool{"missed": true, "away": false, "away, with lines here": true, "visiting": true, "just gone": false, "of an earlier process": true} {
		if _, ok := got[name]; ok != want {
			t.Errorf("%s: %v", name, ok)
		}
	}
	if x := got["of an earlier process"]; x.UntabledSeconds != 7 || x.UnstoredSeconds != 8 {
		t.Errorf("%+v", x)
	}
}

func TestAFailingSinkIsReportedWithItsReason(t *testing.T) {
	retries := []collector.RetryState{
		{What: "table: write rows", Since: before(20 * time.Minute), Attempts: 4, Error: "no region server"},
		{What: "web01/20260903-000001", Since: before(time.Minute), Attempts: 2, Error: "archive: store: connection refused"},
		{What: "web02/20260903-000002", Since: before(2 * time.Minute), Attempts: 3, Error: "archive: store: no such host"},
		{What: "web03/20260903-000003", Since: before(time.Minute), Attempts: 1, Error: "spool: no space left"},
		{What: "checkpoint", Since: before(time.Hour), Attempts: 9, Error: "read-only file system"},
	}
	f := Fleet{Now: now, Began: before(time.Hour), Kind: Collector, Sinks: Sinks(now, retries)}
	h := f.Check(limits)
	want := []string{
		"the checkpoint has failed for 1h0m0s, since 2027-01-15T07:00:00Z, 9 attempts: read-only file system",
		"the table has failed for 20m0s, since 2027-01-15T07:40:00Z, 4 attempts: no region server",
	}
	if h.Well() || strings.Join(h.Process.Reasons, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: %q", h.Status, h.Process.Reasons)
	}
	for name, want := range map[string]Sink{
		Archive: {"WARN", 120, 5, "archive: store: no such host"}, // shorter than MaxLag
		Spool:   {"WARN", 60, 1, "spool: no space left"},
		Table:   {"ERROR", 1200, 4, "no region server"},
	} {
		if got := h.Process.Sinks[name]; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

func TestAnAgentWithoutACollectorReportsIt(t *testing.T) {
	busySince := before(15 * time.Minute)
	for _, test := range []struct {
		state agent.State
		want  string
	}{
		{agent.State{Connected: true, Collector: "c1:4141", Since: before(time.Hour)}, ""},
		{agent.State{Since: before(time.Minute), Error: "connection refused"}, ""},
		{agent.State{Since: before(5 * time.Minute), Error: "connection refused"}, "no collector for 5m0s: connection refused"},
		{agent.State{Connected: true, BusySince: &busySince, Busy: "the spool is full"}, "the collector accepts no batches for 15m0s: the spool is full"},
	} {
		f := Fleet{Now: now, Kind: Agent, Hosts: map[string]Host{"web01": Reader(now, protocol.Heartbeat{}, test.state, limits.SilentAfter, limits.MaxLag)}}
		if got := strings.Join(f.Check(limits).Metrics["web01"].Reasons, "; "); got != test.want {
			t.Errorf("%+v: %q, want %q", test.state, got, test.want)
		}
	}
}

func TestARunIsBothReaderAndCollector(t *testing.T) {
	s := tail.Status{At: before(5 * time.Second), WrittenBytes: 100, ReadBytes: 90, StoredBytes: 50, UnreadSeconds: 595.5,
		Failing: []tail.Failure{{Path: "/a.log", Error: errors.New("permission denied").Error(), Since: before(time.Minute)}}}
	g := governor.State{Level: governor.Paused, Since: before(11 * time.Minute), Reason: "the disk is busy"}
	f := Fleet{Now: now, Kind: Run, Hosts: map[string]Host{"web01": Follower(now, s, new(tail.Counters), g, collector.Waiting{UntabledSeconds: 20, UnstoredSeconds: 30}, collector.Arrivals{})}}
	got := f.Check(limits).Metrics["web01"]
	want := "its oldest line is 10m1s old and not received; its governor pauses for 11m0s: the disk is busy; /a.log cannot be read for 1m0s: permission denied"
	if strings.Join(got.Reasons, "; ") != want || got.UntabledSeconds != 600.5 || got.UnstoredSeconds != 600.5 {
		t.Errorf("%+v, want %q", got, want)
	}
}
