package health

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/ingest"
	"sluice/ingest/protocol"
	"sluice/ingest/receiver"
)

func TestHealthSaysWhatIsWrongWithWhom(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := Fleet{Now: now, Host: "c1", Began: now.Add(-time.Hour), Hosts: []receiver.Host{
		{Name: "quiet", Connections: 1, Seen: now.Add(-time.Second)}, // at dawn: no line, and well
		{Name: "silent", Seen: now.Add(-5 * time.Minute), Lines: 7},
		{Name: "paused", Seen: now, Beat: protocol.Heartbeat{Governor: protocol.Governor{PausedSinceMs: now.Add(-time.Hour).UnixMilli(), Reason: "load"}}},
		{Name: "refused", Seen: now, Refused: 2},
	}, State: ingest.State{SpoolBytes: 50, Troubles: []ingest.Trouble{{What: "archive", Since: now.Add(-time.Hour), Error: "no such host"}, {What: "table", Since: now}}},
		Counts: Counts{Lines: 7}}
	limits := Thresholds{SilentAfter: time.Minute, PausedAfter: 10 * time.Minute}
	want := map[string]string{"quiet": "", "silent": "silent for 5m0s", "paused": "its governor has paused for 1h0m0s: load",
		"refused": "2 of its batches were refused", "collector c1": "archive fails for 1h0m0s: no such host"}
	h := f.Check(limits)
	if h.Status != "ERROR" || len(h.Metrics) != len(want) {
		t.Errorf("%+v", h)
	}
	for name, reason := range want {
		x := h.Metrics[name]
		if strings.Join(x.Reasons, "; ") != reason || (x.Status == "OKAY") != (reason == "") {
			t.Errorf("%s: %+v, want %q", name, x, reason)
		}
	}
	handler := Handler(func() Fleet { return f }, limits, 100)
	get := func(path string, status int) string {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != status {
			t.Errorf("%s: status %d", path, w.Code)
		}
		return w.Body.String()
	}
	get("/health", 503)
	var flume map[string]map[string]string
	if err := json.Unmarshal([]byte(get("/metrics.json", 200)), &flume); err != nil || flume["CHANNEL.spool"]["ChannelFillPercentage"] != "50" || flume["SOURCE.agents"]["EventReceivedCount"] != "7" {
		t.Errorf("%v, %v", flume, err)
	}
	if text := get("/metrics", 200); !strings.Contains(text, "\nsluice_host_received_lines_total{host=\"silent\"} 7\n") || !strings.Contains(text, "\nsluice_spool_bytes 50\n") {
		t.Error(text)
	}
	f.Hosts, f.State.Troubles = f.Hosts[:1], nil
	if body := get("/health", 200); !strings.Contains(body, `"status":"OKAY"`) {
		t.Error(body)
	}
}
