package monitor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/ingest/collector"
	"sluice/ingest/protocol"
	"sluice/ingest/receiver"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/monitor/watch"
)

// faultsOfAHost are faults that only the collector reports to which the host sends.
var faultsOfAHost = []struct {
	kind   ProblemKind
	change func(h *receiver.Host, r *watch.Host, s *collector.State)
}{
	{Lost, func(h *receiver.Host, r *watch.Host, _ *collector.State) {
		h.Beat.Counters[protocol.LostFiles], h.Beat.Counters[protocol.LostBytes], r.Lost = 1, 7, watch.Loss{Files: 1, Bytes: 7}
	}},
	{ExpiresSoon, func(h *receiver.Host, r *watch.Host, _ *collector.State) {
		h.Issued, h.Expires = now.Add(-365*24*time.Hour), now.Add(20*24*time.Hour)
		r.IssuedUnix, r.ExpiresUnix = h.Issued.Unix(), h.Expires.Unix()
	}},
	{ClockOff, func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
		h.ClockOffset, h.ClockKnown = time.Hour, true
	}},
	{OtherVersion, func(h *receiver.Host, r *watch.Host, _ *collector.State) {
		h.Agent, r.Agent = "sluice v1.2.0", "sluice v1.2.0"
	}},
	{Restarts, func(_ *receiver.Host, r *watch.Host, _ *collector.State) { r.Restarts = restartsAt(8, time.Second) }},
	{Paused, func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
		h.Beat.Governor = protocol.Governor{PausedSinceMs: h.Beat.TimeMs - hour, Reason: "load"}
	}},
	{Unreceived, func(h *receiver.Host, _ *watch.Host, _ *collector.State) {
		h.Beat.Counters[protocol.UnreceivedMs] = hour
	}},
	{Unreadable, func(h *receiver.Host, _ *watch.Host, _ *collector.State) { h.Beat.Problems = []string{"text"} }},
	{FutureLines, func(_ *receiver.Host, _ *watch.Host, s *collector.State) {
		s.Arrivals["web01"] = collector.Arrivals{AheadSeconds: 7200}
	}},
}

// farewell returns a host that has just reported that it sends to another collector, and what is
// stored of it.
func farewell() (receiver.Host, watch.Host) {
	h := beatAt(now, 0, map[string]int64{protocol.StartedMs: 1, protocol.Elsewhere: 1})
	h.Name, h.Missed, h.Elsewhere, h.Connections, h.StartedMs = "web01", false, true, 0, 1
	return h, watch.Host{HeardUnix: now.Unix(), Elsewhere: true}
}

// TestAFaultOfAHostIsReportedOnlyByTheCollectorToWhichItSends checks each minute between two
// reports that a host is with another collector, and the moment of such a report.
func TestAFaultOfAHostIsReportedOnlyByTheCollectorToWhichItSends(t *testing.T) {
	for _, test := range faultsOfAHost {
		check := func(h receiver.Host, r watch.Host, s *collector.State, at time.Duration) (Host, bool) {
			f := Fleet{Now: now.Add(at), Kind: Collector, Version: "v1.4.2", Hosts: Senders(now.Add(at), []receiver.Host{h}, s)}
			f.Remember(map[string]watch.Host{"web01": r}, asleep(at))
			x, here := f.Check(limits).Metrics["web01"]
			return x, here
		}
		h, r := farewell()
		s := collector.State{Arrivals: map[string]collector.Arrivals{}}
		test.change(&h, &r, &s)
		for minutes := range 11 {
			at := time.Duration(minutes) * time.Minute
			for connections := range min(2, 11-minutes) {
				h.Connections = connections
				if x, here := check(h, r, &s, at); here {
					t.Errorf("%s, %d min: not expected, and listed with %v", test.kind, minutes, x.Problems)
				}
				expected := r
				expected.ExpectedUnix = before(time.Hour).Unix()
				for _, known := range []bool{true, false} {
					x, here := check(h, expected, &s, at)
					if !known { // after a restart
						f := Fleet{Now: now.Add(at), Kind: Collector, Version: "v1.4.2"}
						f.Hosts = Senders(f.Now, nil, &collector.State{})
						f.Remember(map[string]watch.Host{"web01": expected}, asleep(at))
						x, here = f.Check(limits).Metrics["web01"]
					}
					if !here || !x.Elsewhere || x.Status != Okay || len(x.Problems) > 0 {
						t.Errorf("%s, %d min, known %t: expected: %t, elsewhere %t, %s %v", test.kind, minutes, known, here, x.Elsewhere, x.Status, x.Problems)
					}
				}
			}
		}
		h.Missed, h.Elsewhere, h.Connections, r.Elsewhere = true, false, 1, false
		if x, _ := check(h, r, &s, 0); len(x.Problems) != 1 || x.Problems[0].Kind != test.kind {
			t.Errorf("%s, where it is connected: %v", test.kind, x.Problems)
		}
	}
}

// TestWhatACollectorFindsItselfIsReportedOfAHostThatIsElsewhere checks violations of the protocol,
// the share of the spool and lines that are not stored.
func TestWhatACollectorFindsItselfIsReportedOfAHostThatIsElsewhere(t *testing.T) {
	for kind, change := range map[ProblemKind]func(h *receiver.Host, s *collector.State){
		Faulty: func(h *receiver.Host, _ *collector.State) {
			h.Faults = []receiver.Fault{{Text: "text", Count: 1, At: now}}
		},
		OverShare: func(_ *receiver.Host, s *collector.State) { s.Shares["web01"] = collector.Share{OverSeconds: 9} },
		Untabled: func(_ *receiver.Host, s *collector.State) {
			s.Waiting["web01"] = collector.Waiting{UntabledSeconds: 700}
		},
	} {
		h, r := farewell()
		s := collector.State{Waiting: map[string]collector.Waiting{}, Shares: map[string]collector.Share{}}
		change(&h, &s)
		at := now.Add(5 * time.Minute)
		f := Fleet{Now: at, Kind: Collector, Hosts: Senders(at, []receiver.Host{h}, &s)}
		f.Remember(map[string]watch.Host{"web01": r}, asleep(5*time.Minute))
		if x := f.Check(limits).Metrics["web01"]; len(x.Problems) != 1 || x.Problems[0].Kind != kind {
			t.Errorf("%s: %v", kind, x.Problems)
		}
	}
}

// TestAnUptimeCheckerFindsAnExpectedHostThatIsElsewhere checks /health/HOST.
func TestAnUptimeCheckerFindsAnExpectedHostThatIsElsewhere(t *testing.T) {
	for code, expected := range map[int]int64{http.StatusOK: 1, http.StatusNotFound: 0} {
		_, r := farewell()
		r.ExpectedUnix = expected
		f := Fleet{Now: now, Kind: Collector, Hosts: map[string]Host{}}
		f.Remember(map[string]watch.Host{"web01": r}, asleep(9*time.Minute))
		w := httptest.NewRecorder()
		Handler(func() Fleet { return f }, limits, nil, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/health/web01?warn=503", nil))
		if w.Code != code {
			t.Errorf("%d %s, want %d", w.Code, w.Body, code)
		}
		health := f.Check(limits)
		if table := strings.Join(health.Table(), "\n"); strings.Contains(table, "ago, elsewhere") != (code == http.StatusOK) {
			t.Errorf("sluice top has no reason why the host is OKAY:\n%s", table)
		}
	}
}

// TestAHostThatIsElsewhereAndDiesIsMissedWhereItIsExpected checks that a host which dies together
// with its collector is reported by another one, also after restarts. A collector that starts again
// gives the host the time to report where it is.
func TestAHostThatIsElsewhereAndDiesIsMissedWhereItIsExpected(t *testing.T) {
	fsys := crashfs.New()
	open := func() *watch.File {
		file, err := watch.Open(fsys, "/watch")
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	file := open()
	h, _ := farewell()
	file.Expect(before(time.Hour), 0, []string{"web01"})
	file.Observe(now, time.Hour, []watch.Seen{SeenOf(&h)})
	check := func(when string, at time.Time, awake time.Duration, hosts []receiver.Host, want Level) {
		t.Helper()
		f := Fleet{Now: at, Kind: Collector, Hosts: Senders(at, hosts, &collector.State{})}
		f.Remember(file.Hosts(), func(r *watch.Host) time.Duration { return file.Silence(r, awake) })
		x, here := f.Check(limits).Metrics["web01"]
		if !here || x.Status != want || x.Elsewhere != (want == Okay) || (want == Failing) != (len(x.Problems) == 1 && x.Problems[0].Kind == Silent) {
			t.Errorf("%s: %s, elsewhere %t, %v", when, x.Status, x.Elsewhere, x.Problems)
		}
	}
	for minutes, want := range map[int]Level{9: Okay, 25: Okay, 26: Failing} {
		d := time.Duration(minutes) * time.Minute
		check(d.String()+" later", now.Add(d), time.Hour+d, []receiver.Host{h}, want)
		check(d.String()+" later, in a suspended machine", now.Add(d+time.Hour), time.Hour+d, []receiver.Host{h}, want)
	}
	if err := file.Save(now, time.Hour+20*time.Minute, true); err != nil {
		t.Fatal(err)
	}
	file = open()
	check("the start after a day", now.Add(24*time.Hour), 0, nil, Okay)
	check("5 min after the start", now.Add(24*time.Hour), 5*time.Minute, nil, Okay)
	check("6 min after the start", now.Add(24*time.Hour), 6*time.Minute, nil, Failing)
	h.Seen = now.Add(25 * time.Hour)
	file.Observe(h.Seen, time.Hour, []watch.Seen{SeenOf(&h)})
	check("it reported where it is", h.Seen, time.Hour, []receiver.Host{h}, Okay)
}
