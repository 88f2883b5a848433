package monitor

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/ingest/collector"
)

// TestTheAlertRulesAreSound checks the alert rules with promtool, Prometheus's own tool: that they
// are valid and fire in the situations of their tests.
func TestTheAlertRulesAreSound(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		promtool, err := exec.LookPath("promtool")
		if err != nil && os.Getenv("CI") == "" {
			t.Skipf("left out: %v", err)
		}
		c := exec.CommandContext(t.Context(), promtool, args...)
		c.Dir = "../docs/prometheus"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// TestRulesAndDashboardUseExistingMetrics checks that the metrics that the alert rules and
// the dashboard use exist.
func TestRulesAndDashboardUseExistingMetrics(t *testing.T) {
	clock := beatAt(now, 0, nil)
	clock.ClockOffset, clock.ClockKnown, clock.Expires, clock.Agent, clock.Refused = time.Hour, true, now, "sluice 1", 1
	f := example()
	f.Hosts["web04"] = Sender(now, clock, collector.Waiting{}, collector.Share{})
	f.Disk = &Disk{Path: "/", FreeBytes: 1}
	registry := prometheus.NewRegistry()
	registry.MustRegister(exporter{func() Fleet { return f }, limits})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range families {
		known[m.GetName()] = true
	}
	for _, name := range []string{"rules.yml", "sluice.json"} {
		text, err := os.ReadFile("../docs/prometheus/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", name)
		}
		asked := regexp.MustCompile(`\bsluice_[a-z_]+`).FindAllString(string(text), -1)
		if len(asked) < 5 {
			t.Errorf("%s: only %q", name, asked)
		}
		for _, metric := range asked {
			if !known[metric] {
				t.Errorf("%s asks for %s, which no process has", name, metric)
			}
		}
	}
}

// TestTheDocumentListsAllKindsOfProblems checks that the document has each kind with its level and
// meaning.
func TestTheDocumentListsAllKindsOfProblems(t *testing.T) {
	text, err := os.ReadFile("../docs/watching.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, k := range Kinds {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", k.Kind, k.Level, k.Meaning))
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") && (strings.Contains(line, "| ERROR |") || strings.Contains(line, "| WARN |")) {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(got, rows) {
		t.Errorf("docs/watching.md must have these rows:\n%s", strings.Join(rows, "\n"))
	}
}
