package dashboard

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"testing"
	"time"

	"sluice/ingest/collector"
	"sluice/ingest/protocol"
	"sluice/ingest/receiver"
	"sluice/ingest/segment/vfs"
	"sluice/monitor"
	"sluice/monitor/history"
)

// now is the current time in the tests, a Saturday afternoon.
var now = time.Date(2026, 11, 28, 15, 7, 12, 0, time.UTC)

var limits = monitor.Thresholds{SilentAfter: 2 * time.Minute, MaxLag: 10 * time.Minute, RollInterval: 2 * time.Hour}

// hostile is a host name that would become an HTML element if it were not escaped.
const hostile = `<img src=x onerror=alert(1)>"'&shop`

// hostName returns the name of simulated host i.
func hostName(i int) string {
	if i == 7 {
		return hostile
	}
	return fmt.Sprintf("%s%02d.example.net", []string{"web", "shop", "api", "img"}[i%4], i/4+1)
}

// demo returns the state of a collector with n hosts, some of which have problems.
func demo(n int) monitor.Fleet {
	senders := make([]receiver.Host, 0, n)
	state := collector.State{Waiting: map[string]collector.Waiting{}, Arrivals: map[string]collector.Arrivals{}}
	for i := range n {
		h := receiver.Host{Name: hostName(i), Agent: "sluice 1.0", Connections: 1, Missed: true, Seen: now.Add(-time.Second), BeatAt: now.Add(-time.Second)}
		lines := int64(rate(i, now))
		written := int64(2_000_000_000 + 13_000_000*i)
		h.Beat = protocol.Heartbeat{TimeMs: now.UnixMilli(), Counters: map[string]int64{protocol.Files: 12, protocol.WrittenBytes: written, protocol.ReadBytes: written - int64(100*i%977),
			protocol.ReceivedBytes: written - 1000, protocol.StoredBytes: written - 9_000_000, protocol.UnreceivedMs: 300, protocol.UnstoredMs: 1_800_000, protocol.LinesPerSecond: lines}}
		h.Beat.Governor = protocol.Governor{Budget: 2_500_000, Reason: "nothing waits"}
		switch i {
		case 3:
			h.Seen, h.BeatAt, h.Connections = now.Add(-41*time.Minute), now.Add(-41*time.Minute), 0
		case 7:
			h.Beat.Counters[protocol.UnreceivedMs] = 26 * 60_000
			h.Beat.Counters[protocol.ReadBytes] = written - 84_000_000
			h.Beat.Governor = protocol.Governor{PausedSinceMs: now.Add(-25 * time.Minute).UnixMilli(), Reason: "<script>alert(2)</script> others wait for disks"}
		case 18:
			h.Beat.Problems = []string{"/var/log/apache2/shop\u202e.log cannot be read for 5m0s: permission denied"}
		}
		senders = append(senders, h)
		state.Waiting[h.Name] = collector.Waiting{UntabledSeconds: 0.8, UnstoredSeconds: 1800}
		state.Arrivals[h.Name] = collector.Arrivals{Lines: 41_233_000 + lines, Bytes: 9_000_000_000}
	}
	sinks := monitor.Sinks(now, []collector.RetryState{{What: "archive: store", Since: now.Add(-3 * time.Minute), Attempts: 9, Error: "dial tcp 10.0.0.3:8020: connection refused"}})
	return monitor.Fleet{Now: now, Began: now.Add(-26 * time.Hour), Kind: monitor.Collector, Host: "collector1", Version: "1.0", Hosts: monitor.Senders(now, senders, &state),
		Sinks: sinks, Counts: monitor.Counts{Lines: 412_330_123, Rows: 412_330_001, Segments: 2310}, BufferBytes: 1_220_000_000, BufferMaxBytes: 10_737_418_240, Segments: 61, UntabledBytes: 811_000}
}

// rate returns the lines per second of simulated host i: a rhythm of days and weeks, and a little
// noise.
func rate(i int, at time.Time) float64 {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	v := 3 + float64(i%9)*11
	v *= 0.35 + 0.65*math.Pow(math.Sin(math.Pi*(hour-3)/24), 2)
	if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		v *= 0.75
	}
	unrest := math.Sin(float64(at.Unix()/900)*12.9898+float64(i)*78.233) * 43758.5453
	return v * (0.92 + 0.16*(unrest-math.Floor(unrest)))
}

// remember makes the history of the first n hosts over the last days. Hosts 3 and 7 have a sample
// in every minute, except that host 3 has a gap; the others have one every 15 minutes.
func remember(t testing.TB, f *monitor.Fleet, n int, days int) *history.Store {
	s := history.New(history.Config{FS: vfs.OS{}, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	counts := make([]history.Observation, n)
	for i := range counts {
		counts[i].Host = hostName(i)
	}
	begin := now.Add(-time.Duration(days) * day).Truncate(time.Minute)
	for at := begin; !at.After(now); at = at.Add(time.Minute) {
		var seen []history.Observation
		for i := range counts {
			fine := i == 3 || i == 7
			if !fine && at.Minute()%15 != 7 || i == 3 && at.After(now.Add(-41*time.Minute)) && at.Before(now.Add(-39*time.Minute)) {
				continue
			}
			o := &counts[i]
			*o = history.Observation{Host: o.Host, ByClass: o.ByClass, Bytes: o.Bytes, ParseErrors: o.ParseErrors, UntabledSeconds: 0.8, UnstoredSeconds: 1800, Governor: history.GovernorLimited}
			minute(o, i, at)
			seen = append(seen, *o)
		}
		s.Observe(at, seen)
		s.Observe(at.Add(25*time.Second), seen)
		s.Observe(at.Add(50*time.Second), seen)
	}
	return s
}

// minute adds to o what host i counts in the minute at at.
func minute(o *history.Observation, i int, at time.Time) {
	lines := int64(60 * rate(i, at))
	switch {
	case i == 3 && at.After(now.Add(-41*time.Minute)):
		lines = 0
		o.Level, o.Reason = history.Error, "silent for 2m0s"
	case i == 7 && at.After(now.Add(-26*time.Minute)):
		lines /= 8
		o.Level, o.Reason, o.UntabledSeconds = history.Error, "its oldest line is 10m0s old and not received", at.Sub(now.Add(-26*time.Minute)).Seconds()
	case i == 7 && at.Hour() == 11 && at.Minute() < 25:
		o.ParseErrors += lines / 12
		o.UntabledSeconds = 140
	case i == 7 && at.Hour() == 4 && at.Day() == 28:
		o.ByClass[4] += lines / 3
		lines -= lines / 3
	}
	o.UnreadBytes = int64(o.UntabledSeconds * 55_000)
	o.ByClass[1] += lines * 83 / 100
	o.ByClass[2] += lines * 9 / 100
	o.ByClass[3] += lines * 7 / 100
	o.ByClass[4] += lines / 100
	o.Bytes += lines * 230
}

// pagesOf returns the handler of the pages of a fleet.
func pagesOf(t testing.TB, f monitor.Fleet, h *history.Store) http.Handler {
	t.Helper()
	handler, err := Handler(Config{Look: func() monitor.Fleet { return f }, Thresholds: limits, History: h, Logs: demoLogs})
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// demoLogs returns the same logs for every host.
func demoLogs(string, int) ([]Log, bool) {
	return []Log{
		{Path: "/var/log/apache2/access.log", Read: 1_422_918_110, Stored: 1_420_011_000, Newest: now.Add(-3 * time.Second)},
		{Path: "/var/log/apache2/<b>shop</b>.log", Read: 84_011, Stored: 84_011, Newest: now.Add(-49 * time.Hour)},
		{Path: "/var/log/apache2/access.log.1", Read: 2_210_009_112, Stored: 2_210_009_112, Newest: now.Add(-15 * time.Hour), Gone: true},
	}, false
}
