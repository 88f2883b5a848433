package monitor

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sluice/ingest/collector"
	"sluice/ingest/protocol"
)

// TestAWarningIsReportedAndIsNotAnError checks that a warning is reported under its host, and that
// /health still has status 200.
func TestAWarningIsReportedAndIsNotAnError(t *testing.T) {
	heard := beatAt(now, 0, nil)
	heard.Beat.Problems = []string{protocol.WarningPrefix + "CustomLog /a.log is not read"}
	host := Sender(now, heard, collector.Waiting{}, collector.Share{})
	host.Add(Traffic, "sends %d lines/min", 2)
	shared := beatAt(now, 0, nil)
	shared.Shared = "two senders"
	f := Fleet{Now: now, Kind: Collector, Hosts: map[string]Host{"web01": host, "web02": Sender(now, shared, collector.Waiting{}, collector.Share{})}}
	h := f.Check(limits)
	x := h.Metrics["web01"]
	if want := []string{"CustomLog /a.log is not read", "sends 2 lines/min"}; h.Status != "WARN" || !h.Well() || x.Status != "WARN" || !slices.Equal(x.Warnings, want) || len(x.Reasons) > 0 {
		t.Errorf("%s: %+v", h.Status, x)
	}
	if x := h.Metrics["web02"]; x.Status != "WARN" || !slices.Equal(x.Warnings, []string{"two senders"}) {
		t.Errorf("%+v", x)
	}
	if table := strings.Join(h.Table(), "\n"); !strings.Contains(table, "0 of them not well, 2 with warnings") || !strings.Contains(table, "  warning: CustomLog /a.log is not read") {
		t.Error(table)
	}
	w := httptest.NewRecorder()
	Handler(func() Fleet { return f }, limits, []string{"example.com"}, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/health", nil))
	if w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
	heard.Beat.Problems = append(heard.Beat.Problems, "an error")
	f.Hosts["web01"] = Sender(now, heard, collector.Waiting{}, collector.Share{})
	if h := f.Check(limits); h.Well() || h.Metrics["web01"].Status != "ERROR" || len(h.Metrics["web01"].Warnings) != 1 {
		t.Errorf("%+v", h)
	}
}
