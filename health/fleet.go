package health

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice/ingest"
	"sluice/ingest/receiver"
)

// Fleet is what a collector knows of itself and of the hosts that send to it.
type Fleet struct {
	Now    time.Time
	Host   string // the collector's
	Began  time.Time
	Hosts  []receiver.Host
	State  ingest.State
	Counts Counts
}

// Counts are since the collector began.
type Counts struct {
	Lines, Bytes, Rows, ParseErrors, Segments, Batches int64
}

// Thresholds say when something is an error.
type Thresholds struct {
	// SilentAfter no heartbeat a host is silent.
	SilentAfter time.Duration
	// PausedAfter a governor has paused too long, a sink failed too long.
	PausedAfter time.Duration
}

// HostHealth is one host's part of /health.
type HostHealth struct {
	Status      string   `json:"status"`
	Reasons     []string `json:"reasons,omitempty"`
	SeenSeconds float64  `json:"seen_seconds"` // ago
	Connections int      `json:"connections"`
	Agent       string   `json:"agent,omitempty"`
	Lines       int64    `json:"lines"`
	Bytes       int64    `json:"bytes"`
	Busy        int64    `json:"busy"`
	Refused     int64    `json:"refused"`
}

// Health is /health: what an uptime checker looks at. A quiet web server is not an
// error: heartbeats count, never traffic.
type Health struct {
	Status  string                `json:"status"` // OKAY or ERROR
	Metrics map[string]HostHealth `json:"metrics"`
}

const (
	okay    = "OKAY"
	failing = "ERROR"
)

// Check judges.
func (f *Fleet) Check(t Thresholds) Health {
	h := Health{Status: okay, Metrics: map[string]HostHealth{}}
	add := func(name string, x HostHealth) {
		x.Status = okay
		if len(x.Reasons) > 0 {
			x.Status, h.Status = failing, failing
		}
		h.Metrics[name] = x
	}
	for _, host := range f.Hosts {
		seen := f.Now.Sub(host.Seen)
		x := HostHealth{SeenSeconds: seen.Seconds(), Connections: host.Connections, Agent: host.Agent, Lines: host.Lines, Bytes: host.Bytes, Busy: host.Busy, Refused: host.Refused}
		if seen > t.SilentAfter {
			x.Reasons = append(x.Reasons, fmt.Sprintf("silent for %s", seen.Round(time.Second)))
		}
		if ms := host.Beat.Governor.PausedSinceMs; ms > 0 && f.Now.Sub(time.UnixMilli(ms)) > t.PausedAfter {
			x.Reasons = append(x.Reasons, fmt.Sprintf("its governor has paused for %s: %s", f.Now.Sub(time.UnixMilli(ms)).Round(time.Second), host.Beat.Governor.Reason))
		}
		if host.Refused > 0 {
			x.Reasons = append(x.Reasons, fmt.Sprintf("%d of its batches were refused", host.Refused))
		}
		add(host.Name, x)
	}
	own := HostHealth{Lines: f.Counts.Lines, Bytes: f.Counts.Bytes, Agent: "collector"}
	for _, trouble := range f.State.Troubles {
		if age := f.Now.Sub(trouble.Since); age > t.PausedAfter {
			own.Reasons = append(own.Reasons, fmt.Sprintf("%s fails for %s: %s", trouble.What, age.Round(time.Second), trouble.Error))
		}
	}
	add("collector "+f.Host, own)
	return h
}

// FlumeMetrics is /metrics.json: what Flume's JSON reporting says, by its names. The
// spool is the channel, in bytes.
func (f *Fleet) FlumeMetrics(spoolMaxBytes int64) map[string]map[string]string {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	open := int64(0)
	for _, h := range f.Hosts {
		open += int64(h.Connections)
	}
	began, fill := n(f.Began.UnixMilli()), "0.0"
	if spoolMaxBytes > 0 {
		fill = strconv.FormatFloat(100*float64(f.State.SpoolBytes)/float64(spoolMaxBytes), 'f', -1, 64)
	}
	c := f.Counts
	return map[string]map[string]string{
		"SOURCE.agents": {"Type": "SOURCE", "StartTime": began, "StopTime": "0", "EventReceivedCount": n(c.Lines), "EventAcceptedCount": n(c.Lines),
			"AppendBatchReceivedCount": n(c.Batches), "AppendBatchAcceptedCount": n(c.Batches), "OpenConnectionCount": n(open)},
		"CHANNEL.spool": {"Type": "CHANNEL", "StartTime": began, "StopTime": "0", "ChannelSize": n(f.State.SpoolBytes), "ChannelCapacity": n(spoolMaxBytes),
			"ChannelFillPercentage": fill, "EventPutAttemptCount": n(c.Lines), "EventPutSuccessCount": n(c.Lines), "EventTakeAttemptCount": n(c.Rows), "EventTakeSuccessCount": n(c.Rows)},
		"SINK.table":   {"Type": "SINK", "StartTime": began, "StopTime": "0", "EventDrainAttemptCount": n(c.Rows), "EventDrainSuccessCount": n(c.Rows)},
		"SINK.archive": {"Type": "SINK", "StartTime": began, "StopTime": "0", "BatchCompleteCount": n(c.Segments)},
	}
}

// Handler serves /health, /metrics and /metrics.json; look is asked each time. /health has status
// 503 when something is wrong.
func Handler(look func() Fleet, t Thresholds, spoolMaxBytes int64) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v) //nolint:errcheck // whoever asked has gone
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		f := look()
		h, status := f.Check(t), http.StatusOK
		if h.Status != okay {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, h)
	})
	mux.HandleFunc("GET /metrics.json", func(w http.ResponseWriter, _ *http.Request) {
		f := look()
		answer(w, http.StatusOK, f.FlumeMetrics(spoolMaxBytes))
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(exporter{look}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}
