package monitor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/ingest/collector"
	"sluice/ingest/governor"
	"sluice/ingest/protocol"
	"sluice/ingest/receiver"
	"sluice/ingest/tail"
	"sluice/monitor/watch"
)

// asleep returns a function that returns d as the awake time since a host was last heard, as a
// watch.File calculates it.
func asleep(d time.Duration) func(*watch.Host) time.Duration {
	return func(*watch.Host) time.Duration { return d }
}

// TestEveryKindOfProblemIsNamedWithItsLevel checks that each row, which has one fault, is reported
// as that problem and no other.
func TestEveryKindOfProblemIsNamedWithItsLevel(t *testing.T) {
	well := func() receiver.Host {
		h := beatAt(before(time.Second), 0, map[string]int64{protocol.StartedMs: 1})
		h.Agent = "sluice v1.4.0 abc"
		return h
	}
	since := before(time.Hour)
	for _, test := range []struct {
		name       string
		change     func(h *receiver.Host, r *watch.Host, s *collector.State)
		silence    time.Duration
		kind       ProblemKind
		level      Level
		text       string
		unknown    bool // the host has sent nothing to this process
		unexpected bool
	}{
		{name: "well", level: Okay},
		{name: "never heard", unknown: true, silence: 3 * time.Minute, kind: NeverHeard, level: Failing, text: "never heard, expected since 2027-01-15T07:00:00Z"},
		{name: "never heard, but we have just begun to wait", unknown: true, silence: time.Minute, level: Okay},
		{name: "expected, and with another collector", unknown: true, silence: 24 * time.Minute, change: func(_ *receiver.Host, r *watch.Host, _ *collector.State) { r.Elsewhere = true }, level: Okay},
		{name: "heard before the restart", unknown: true, silence: 112 * time.Second, change: func(_ *receiver.Host, r *watch.Host, _ *collector.State) {
			r.HeardUnix = before(30 * time.Minute).Unix()
		}, level: Okay},
		{name: "dead since before the restart", unknown: true, silence: 121 * time.Second, change: func(_ *receiver.Host, r *watch.Host, _ *collector.State) {
			r.HeardUnix = before(30 * time.Minute).Unix()
		}, kind: Silent, level: Failing, text: "silent for 30m0s"},
		{name: "not expected, and forgotten", unknown: true, unexpected: true, silence: time.Hour, level: ""},
		{name: "silent", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Seen, h.BeatAt = before(3*time.Minute), before(3*time.Minute)
		}, silence: 3 * time.Minute, kind: Silent, level: Failing, text: "silent for 3m0s"},
		{name: "silent while the machine was suspended", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Seen, h.BeatAt = before(time.Hour), before(time.Hour)
		}, silence: 2 * time.Second, level: Okay},
		{name: "failed over to us and died here", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Seen, h.BeatAt, h.Connections = before(3*time.Minute), before(3*time.Minute), 0
		}, silence: 3 * time.Minute, kind: Silent, level: Failing, text: "silent for 3m0s"},
		{name: "went to its collector in good order", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Seen, h.Connections, h.Missed, h.Elsewhere = before(time.Minute), 0, false, true
		}, silence: 3 * time.Minute, level: Okay},
		{name: "clock fast", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.ClockOffset, h.ClockKnown = 5*time.Hour, true
		}, kind: ClockOff, level: Warn, text: "its clock is 5h0m0s fast"},
		{name: "clock slow", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.ClockOffset, h.ClockKnown = -30*time.Second, true
		}, kind: ClockOff, level: Warn, text: "its clock is 30s slow"},
		{name: "clock off by less", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.ClockOffset, h.ClockKnown = 29*time.Second, true
		}, level: Okay},
		{name: "lines of the future", change: func(_ *receiver.Host, _ *watch.Host, s *collector.State) {
			s.Arrivals["web01"] = collector.Arrivals{AheadSeconds: 7200}
		}, kind: FutureLines, level: Warn, text: "a time 2h0m0s in the future"},
		{name: "lines that do not parse", change: func(_ *receiver.Host, _ *watch.Host, s *collector.State) {
			s.Arrivals["web01"] = collector.Arrivals{Unparsed: []collector.Unparsed{{Path: "/a.log", Lines: 4000, Errors: 2746, InARow: 2746, Example: "web GET"}}}
		}, kind: Unparsable, level: Warn, text: `/a.log: 2746 of the last 4000 lines (69 %) do not parse, the last 2746 in a row; they are stored as raw lines: compare --format with LogFormat; example: "web GET"`},
		{name: "three restarts", change: func(_ *receiver.Host, r *watch.Host, _ *collector.State) { r.Restarts = restartsAt(3, time.Minute) }, level: Okay},
		{name: "many restarts", change: func(_ *receiver.Host, r *watch.Host, _ *collector.State) { r.Restarts = restartsAt(8, time.Minute) }, kind: Restarts, level: Warn, text: "its agent restarted 8 times in the last 10m0s"},
		{name: "many restarts, long ago", change: func(_ *receiver.Host, r *watch.Host, _ *collector.State) { r.Restarts = restartsAt(8, 11*time.Minute) }, level: Okay},
		{name: "certificate for 22 days", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Expires = now.Add(22 * 24 * time.Hour) }, level: Okay},
		{name: "certificate for 20 days", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Expires = now.Add(20 * 24 * time.Hour) }, kind: ExpiresSoon, level: Warn, text: "its certificate expires on 2027-02-04 08:00 UTC, in 20 days"},
		{name: "certificate for 2 days", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Expires = now.Add(2 * 24 * time.Hour) }, kind: Expired, level: Failing, text: "in 2 days"},
		{name: "certificate of a day for 9 hours", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Issued, h.Expires = now.Add(-15*time.Hour), now.Add(9*time.Hour)
		}, level: Okay},
		{name: "certificate of a day for 7 hours", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Issued, h.Expires = now.Add(-17*time.Hour), now.Add(7*time.Hour)
		}, kind: ExpiresSoon, level: Warn, text: "expires on"},
		{name: "certificate expired", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Expires = now.Add(-time.Second) }, kind: Expired, level: Failing, text: "expired on"},
		{name: "next minor version", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Agent = "sluice v1.5.9" }, level: Okay},
		{name: "old version", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Agent = "sluice v1.2.0 def" }, kind: OtherVersion, level: Warn, text: "its agent is older: version v1.2.0 def, this is v1.4.2"},
		{name: "new version", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Agent = "sluice v2.0.0" }, kind: OtherVersion, level: Warn, text: "its agent is newer"},
		{name: "a build of a commit", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Agent = "sluice v0.0.0-20261129133456-abc"
		}, kind: OtherVersion, level: Warn, text: "its agent is another build: version v0.0.0-20261129133456-abc, this is v1.4.2"},
		{name: "Flume", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Agent = "Flume 0.1" }, level: Okay},
		{name: "loss", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Beat.Counters[protocol.LostFiles], h.Beat.Counters[protocol.LostBytes] = 1, 7
		}, kind: Lost, level: Failing, text: "7 bytes in 1 logs were deleted before they were read"},
		{name: "loss that was acknowledged here", change: func(h *receiver.Host, r *watch.Host, _ *collector.State) {
			h.Beat.Counters[protocol.LostFiles], h.Beat.Counters[protocol.LostBytes], r.Seen = 1, 7, watch.Loss{Files: 1, Bytes: 7}
			h.Beat.Problems = []string{"[lost] /a.log was replaced"}
		}, level: Okay},
		{name: "loss of a host that is away", unknown: true, silence: time.Second, change: func(_ *receiver.Host, r *watch.Host, _ *collector.State) {
			r.HeardUnix, r.Lost = before(time.Minute).Unix(), watch.Loss{Files: 2, Bytes: 9}
		}, kind: Lost, level: Failing, text: "9 bytes in 2 logs"},
		{name: "acknowledged", change: func(h *receiver.Host, r *watch.Host, _ *collector.State) {
			h.Refused, h.RefusedAt = 1, now
			r.Ack = &watch.Ack{Until: now.Add(time.Hour), Why: "known"}
		}, kind: Refused, level: Warn, text: "1 of its batches were refused"},
		{name: "acknowledged until a moment ago", change: func(h *receiver.Host, r *watch.Host, _ *collector.State) {
			h.Refused, h.RefusedAt = 1, now
			r.Ack = &watch.Ack{Until: now, Why: "known"}
		}, kind: Refused, level: Failing, text: "1 of its batches were refused"},
		{name: "a warning of its agent", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
			h.Beat.Problems = []string{"[unparsable] text"}
		}, kind: Unparsable, level: Warn, text: "text"},
		{name: "a report of its agent", change: func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Beat.Problems = []string{"[what] text"} }, kind: Unreadable, level: Failing, text: "[what] text"},
	} {
		h, r := well(), watch.Host{ExpectedUnix: since.Unix()}
		h.Name = "web01"
		if test.unexpected {
			r.ExpectedUnix = 0
		}
		s := collector.State{Arrivals: map[string]collector.Arrivals{}}
		if !test.unknown {
			r.HeardUnix = h.Seen.Unix()
		}
		if test.change != nil {
			test.change(&h, &r, &s)
		}
		hosts := []receiver.Host{h}
		if test.unknown {
			hosts = nil
		}
		f := Fleet{Now: now, Kind: Collector, Version: "v1.4.2 123", Hosts: Senders(now, hosts, &s)}
		f.Remember(map[string]watch.Host{"web01": r}, asleep(test.silence))
		health := f.Check(limits)
		x := health.Metrics["web01"]
		if x.Status != test.level {
			t.Errorf("%s: %s %q, want %s", test.name, x.Status, x.Reasons, test.level)
		}
		switch {
		case test.kind == "" && len(x.Problems) > 0:
			t.Errorf("%s: %v", test.name, x.Problems)
		case test.kind != "" && (len(x.Problems) != 1 || x.Problems[0].Kind != test.kind || !strings.Contains(x.Problems[0].Text, test.text)):
			t.Errorf("%s: %v, want %s %q", test.name, x.Problems, test.kind, test.text)
		}
		if want := test.level == Failing; want == health.Well() {
			t.Errorf("%s: the whole is %s", test.name, health.Status)
		}
	}
}

func restartsAt(n int, ago time.Duration) (all []int64) {
	for range n {
		all = append(all, before(ago).Unix())
	}
	return all
}

// TestAWrongClockOfTheCollectorNamesNoHost checks that a wrong clock of the collector is not
// reported as the hosts' problem. One of the ten hosts has a wrong clock, too.
func TestAWrongClockOfTheCollectorNamesNoHost(t *testing.T) {
	f := Fleet{Now: now, Kind: Collector, Hosts: map[string]Host{}}
	for i := range 10 {
		h := beatAt(before(time.Second), 0, nil)
		h.ClockOffset, h.ClockKnown = 2*time.Hour+time.Duration(i)*time.Second, true
		if i == 7 {
			h.ClockOffset = 0
		}
		f.Hosts[fmt.Sprintf("web%02d", i)] = Sender(now, h, collector.Waiting{}, collector.Share{})
	}
	h := f.Check(limits)
	if len(h.Process.Problems) != 1 || h.Process.Problems[0].Kind != ClockOff || !strings.Contains(h.Process.Problems[0].Text, "2h0m4s slow compared with those of 9 of 10 hosts") {
		t.Errorf("%v", h.Process.Problems)
	}
	for name, x := range h.Metrics {
		if (name == "web07") != (x.Status == Warn) {
			t.Errorf("%s: %v", name, x.Problems)
		}
	}
}

// TestTimeInWhichNothingRanMakesNoLineOld checks that an hour in which the machine was suspended is
// not counted as lag.
func TestTimeInWhichNothingRanMakesNoLineOld(t *testing.T) {
	f := Fleet{Now: now, Kind: Run, Hosts: map[string]Host{"web01": {UntabledSeconds: 3700}}, Frozen: func(age time.Duration) time.Duration { return min(age, time.Hour) }}
	if h := f.Check(limits); !h.Well() {
		t.Errorf("%v", h.Metrics)
	}
	f.Hosts["web01"] = Host{UntabledSeconds: 4300}
	if h := f.Check(limits); h.Well() {
		t.Error("a line that waited for 700 s beside that is not named")
	}
}

func TestAnExpectedHostThatSendsUnderAnotherNameIsNamed(t *testing.T) {
	f := Fleet{Now: now, Kind: Collector, Hosts: map[string]Host{"web01.example.com": Sender(now, beatAt(now, 0, nil), collector.Waiting{}, collector.Share{})}}
	f.Remember(map[string]watch.Host{"web01": {ExpectedUnix: now.Unix()}}, asleep(time.Hour))
	h := f.Check(limits)
	if got := strings.Join(h.Metrics["web01"].Reasons, ""); !strings.HasSuffix(got, `; a host "web01.example.com" sends: if it is this one, expect it by that name`) {
		t.Error(got)
	}
}

// TestARejectedCertificateIsAReasonUnderItsHost checks that a rejected certificate is reported as a
// problem of its host while the host is not connected.
func TestARejectedCertificateIsAReasonUnderItsHost(t *testing.T) {
	for connections, want := range []int{1, 0} {
		h := beatAt(before(time.Minute), 0, nil)
		h.Connections = connections
		f := Fleet{Now: now, Kind: Collector, Hosts: map[string]Host{"web01": Sender(now, h, collector.Waiting{}, collector.Share{})}}
		var r Rejections
		for range 3 {
			r.Note(before(time.Second), []string{"WEB01."}, "10.0.0.1", "certificate has expired", true)
		}
		r.Note(before(time.Hour), []string{"web01"}, "10.0.0.1", "old", true)
		for i := range 2 * maxRejectedNames {
			r.Note(now, []string{fmt.Sprint("stranger", i)}, "10.0.0.9", "unknown authority", false)
		}
		f.Reject(&r)
		got := f.Check(limits).Metrics["web01"].Problems
		if len(got) != want {
			t.Errorf("%d connections: %v", connections, got)
		}
		if want == 1 && got[0].Text != "its connections from 10.0.0.1 are rejected: certificate has expired (3 times, the last at 2027-01-15T07:59:59Z)" {
			t.Error(got[0].Text)
		}
		if len(r.byHost) > maxRejectedNames {
			t.Errorf("%d names are kept", len(r.byHost))
		}
	}
}

func TestADiskWithLessRoomThanTheSpoolMayTakeIsAnError(t *testing.T) {
	for _, test := range []struct {
		free  int64
		full  float64
		level Level
	}{{50, 0, Okay}, {49, 0, Failing}, {50, 3600, Warn}, {50, 24 * 3600, Okay}} {
		f := Fleet{Now: now, Kind: Collector, BufferBytes: 50, BufferMaxBytes: 100, Disk: &Disk{Path: "/spool", FreeBytes: test.free, FullSeconds: test.full}}
		if h := f.Check(limits); h.Status != test.level {
			t.Errorf("%+v: %s %q", test, h.Status, h.Process.Problems)
		}
	}
	var r DiskRate
	for i := range 30 {
		got := r.Look(now.Add(time.Duration(i)*time.Minute), 1000-10*int64(i))
		if want := time.Duration(100-i) * time.Minute; (i >= 10) != (got != 0) || got != 0 && (got-want).Abs() > time.Second {
			t.Errorf("minute %d: full in %s, want %s", i, got, want)
		}
	}
	if r.Look(now.Add(31*time.Minute), 2000) != 0 {
		t.Error("a disk with free space is reported as filling")
	}
}

// TestAnUptimeCheckerGets503ForErrorsOnly checks the status of /health and of /health/HOST: 503 for
// errors, and for warnings only with ?warn=503.
func TestAnUptimeCheckerGets503ForErrorsOnly(t *testing.T) {
	clock := beatAt(now, 0, nil)
	clock.ClockOffset, clock.ClockKnown = time.Hour, true
	f := Fleet{Now: now, Kind: Collector, Hosts: map[string]Host{
		"good": Sender(now, beatAt(now, 0, nil), collector.Waiting{}, collector.Share{}), "warn": Sender(now, clock, collector.Waiting{}, collector.Share{})}}
	bad := Fleet{Now: now, Kind: Collector, Hosts: map[string]Host{"bad": Sender(now, beatAt(before(time.Hour), 0, nil), collector.Waiting{}, collector.Share{}), "good": f.Hosts["good"]}}
	for _, test := range []struct {
		fleet Fleet
		url   string
		code  int
	}{
		{f, "/health", 200}, {f, "/health?warn=503", 503}, {f, "/health/good", 200}, {f, "/health/warn", 200}, {f, "/health/warn?warn=503", 503}, {f, "/health/none", 404}, {f, "/health/WARN.?warn=503", 503},
		{bad, "/health", 503}, {bad, "/health/good?warn=503", 200}, {bad, "/health/bad", 503},
	} {
		w := httptest.NewRecorder()
		Handler(func() Fleet { return test.fleet }, limits, nil, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1"+test.url, nil))
		if w.Code != test.code {
			t.Errorf("%s: %d %s, want %d", test.url, w.Code, w.Body, test.code)
		}
	}
}

func TestEachKindOfProblemIsListedOnce(t *testing.T) {
	seen := map[ProblemKind]bool{}
	for _, k := range kinds {
		if seen[k.kind] || k.meaning == "" || !slices.Contains([]Level{Warn, Failing}, k.level) {
			t.Errorf("%+v", k)
		}
		seen[k.kind] = true
	}
}

// TestStoredStateOfAHostDoesNotReplaceWhatWasRead checks that the stored state of a host
// does not replace the state that this process has read itself.
func TestStoredStateOfAHostDoesNotReplaceWhatWasRead(t *testing.T) {
	s := tail.Status{At: now}
	c := new(tail.Counters)
	c.LostFiles.Add(1)
	c.LostBytes.Add(7)
	f := Fleet{Now: now, Kind: Run, Hosts: map[string]Host{"web01": Follower(now, s, c, governor.State{}, collector.Waiting{}, collector.Arrivals{})}}
	f.Remember(map[string]watch.Host{"web01": {HeardUnix: now.Unix(), Restarts: restartsAt(8, time.Minute)}}, asleep(time.Hour))
	x := f.Check(limits).Metrics["web01"]
	if x.LostFiles != 1 || x.SeenSeconds != 0 || len(x.Problems) != 2 || x.Problems[0].Kind != Lost || x.Problems[1].Kind != Restarts {
		t.Errorf("%+v", x)
	}
}
