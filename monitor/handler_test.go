package monitor

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/ingest/collector"
	"sluice/ingest/protocol"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// example returns the state of a collector with one host without problems and two with errors.
func example() Fleet {
	full := beatAt(before(2*time.Second), 0, map[string]int64{protocol.Files: 12, protocol.WrittenBytes: 5_000_000_000, protocol.ReadBytes: 4_999_999_000, protocol.ReceivedBytes: 4_999_998_000,
		protocol.StoredBytes: 4_900_000_000, protocol.UnreceivedMs: 200, protocol.UnstoredMs: 40 * minute, protocol.LinesPerSecond: 812})
	full.Agent, full.Lines, full.Bytes, full.Busy = "sluice 1", 7, 700, 3
	full.Beat.Governor = protocol.Governor{Budget: 2_500_000, Reason: "nothing limits reading"}
	paused := beatAt(now, 0, map[string]int64{protocol.WrittenBytes: 80_000_000, protocol.UnreceivedMs: 20 * minute})
	paused.Beat.Governor = protocol.Governor{PausedSinceMs: now.Add(-20 * time.Minute).UnixMilli(), Reason: "others wait\x1b[2J\tfor disks"}
	return Fleet{Now: now, Began: before(26 * time.Hour), Kind: Collector, Host: "c1", Version: "1",
		Hosts: map[string]Host{"web01": Sender(now, full, collector.Waiting{UntabledSeconds: 1.5, UnstoredSeconds: 2400}, collector.Share{}), "web02": Sender(now, paused, collector.Waiting{}, collector.Share{}),
			"web\u202e03": Sender(now, beatAt(before(5*time.Minute), 0, nil), collector.Waiting{}, collector.Share{})},
		Sinks:       Sinks(now, []collector.RetryState{{What: "archive", Since: before(time.Hour), Attempts: 8, Error: "no such host"}, {What: "table: flush", Since: before(time.Minute), Attempts: 1}}),
		Counts:      Counts{Lines: 7, Bytes: 700, Accepted: 7, Batches: 2, Rows: 6, Segments: 1},
		BufferBytes: 50, BufferMaxBytes: 100, Segments: 3, UntabledBytes: 11}
}

// TestStatusPagesMatchTheirGoldenFiles compares the pages with golden files, because other programs parse
// them.
func TestStatusPagesMatchTheirGoldenFiles(t *testing.T) {
	collector := example()
	agent := Fleet{Now: now, Began: before(time.Hour), Kind: Agent, Host: "web01", Counts: Counts{Lines: 9, Bytes: 900, Accepted: 8, Batches: 2, Failures: 1},
		Hosts: map[string]Host{"web01": {Connections: 1}}, BufferBytes: 5, BufferMaxBytes: 10}
	for _, test := range []struct {
		fleet            Fleet
		page, golden     string
		status           int
		onlyLinesThatSay string
	}{
		{collector, "/health", "health.json", 503, ""},
		{collector, "/metrics.json", "metrics.json", 200, ""},
		{collector, "/metrics", "metrics.txt", 200, "sluice_"},
		{agent, "/health", "agent_health.json", 200, ""},
		{agent, "/metrics.json", "agent_metrics.json", 200, ""},
	} {
		w := httptest.NewRecorder()
		Handler(func() Fleet { return test.fleet }, limits, []string{"Example.com."}, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", test.page, nil))
		if w.Code != test.status {
			t.Errorf("%s: status %d", test.page, w.Code)
		}
		text := w.Body.String()
		if strings.HasSuffix(test.golden, ".json") {
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			b, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			text = string(b) + "\n"
		} else {
			text = strings.Join(slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(line string) bool { return !strings.Contains(line, test.onlyLinesThatSay) }), "")
		}
		golden(t, test.golden, text)
	}
	w := httptest.NewRecorder()
	Handler(example, limits, []string{"Example.com."}, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("POST", "/health", nil))
	if w.Code != 405 {
		t.Errorf("POST: status %d", w.Code)
	}
}

// TestATableForPeopleHasNoTerminalControls checks that the table has no control
// characters, and that hosts with errors come first.
func TestATableForPeopleHasNoTerminalControls(t *testing.T) {
	f := example()
	h := f.Check(limits)
	text := strings.Join(h.Table(), "\n") + "\n"
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' }) {
		t.Errorf("%q", text)
	}
	golden(t, "table.txt", text)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (%v); it is now:\n%s", path, err, got)
	}
}

// TestARequestForAnotherHostNameIsRejected checks the defense against DNS rebinding, in which
// another site's page resolves a name of its own to the status server.
func TestARequestForAnotherHostNameIsRejected(t *testing.T) {
	handler := Handler(example, limits, []string{"c1", "C1.example.com."}, http.NotFoundHandler())
	for host, want := range map[string]int{
		"c1": 200, "c1:4142": 200, "C1.Example.com:4142": 200, "c1.example.com.": 200,
		"localhost:4142": 200, "127.0.0.1:4142": 200, "192.0.2.1": 200, "[::1]:4142": 200, "[fe80::1%25eth0]:4142": 200, "": 200,
		"attacker.example": 421, "attacker.example:4142": 421, "c1.attacker.example": 421, "127.0.0.1.attacker.example": 421, "localhost.attacker.example": 421, "c1.example.com@attacker.example": 421,
	} {
		r := httptest.NewRequest("GET", "/metrics.json", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: status %d, want %d: %s", host, w.Code, want, w.Body)
		}
	}
}
