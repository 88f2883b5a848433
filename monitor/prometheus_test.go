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

// labelsOf returns the label names of each metric of a fleet.
func labelsOf(t *testing.T, f Fleet) map[string][]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(exporter{func() Fleet { return f }, limits})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string][]string{}
	for _, m := range families {
		labels[m.GetName()] = []string{"instance", "job"} // which Prometheus adds
		for _, l := range m.GetMetric()[0].GetLabel() {
			labels[m.GetName()] = append(labels[m.GetName()], l.GetName())
		}
	}
	return labels
}

var (
	metricPattern = regexp.MustCompile(`\b(sluice_[a-z0-9_]+)(\{[^}]*\})?`)
	// matcherPattern has the label of a selector's matcher, such as host=~"web.*".
	matcherPattern = regexp.MustCompile(`([a-zA-Z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	groupPattern   = regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`)
	// legendPattern has the label of a legend {{host}} or of an annotation {{ $labels.host }}.
	legendPattern = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
	valuesPattern = regexp.MustCompile(`^label_values\((.*), ([a-z_]+)\)$`)
)

// labelProblems returns the metrics of an expression that are not known, and the labels of its
// selectors and groups and in texts that show its result which a metric does not have.
func labelProblems(expr, texts string, known map[string][]string) (problems []string) {
	var grouped []string
	for _, m := range groupPattern.FindAllStringSubmatch(expr, -1) {
		grouped = append(grouped, strings.Split(strings.ReplaceAll(m[1], " ", ""), ",")...)
	}
	for i, m := range metricPattern.FindAllStringSubmatch(expr, -1) {
		labels, ok := known[m[1]]
		if !ok {
			problems = append(problems, "no process has the metric "+m[1])
			continue
		}
		asked := slices.Clone(grouped)
		for _, l := range matcherPattern.FindAllStringSubmatch(m[2], -1) {
			asked = append(asked, l[1])
		}
		for _, l := range legendPattern.FindAllStringSubmatch(texts, -1) {
			if i == 0 { // the result has the labels of the left side
				asked = append(asked, l[1])
			}
		}
		for _, label := range asked {
			if !slices.Contains(labels, label) {
				problems = append(problems, fmt.Sprintf("%s has no label %s", m[1], label))
			}
		}
	}
	return problems
}

// askedFor returns the expressions of the dashboard and of the rules, each with the texts that show
// its result.
func askedFor(t *testing.T) (asked [][2]string) {
	t.Helper()
	text, err := os.ReadFile("../docs/prometheus/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Query json.RawMessage }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, x := range p.Targets {
			asked = append(asked, [2]string{x.Expr, x.LegendFormat})
		}
	}
	for _, x := range dashboard.Templating.List {
		var query string
		var object struct{ Query string }
		if json.Unmarshal(x.Query, &query) != nil && json.Unmarshal(x.Query, &object) == nil {
			query = object.Query
		}
		if m := valuesPattern.FindStringSubmatch(query); m != nil {
			asked = append(asked, [2]string{m[1], "{{" + m[2] + "}}"})
		}
	}
	if text, err = os.ReadFile("../docs/prometheus/rules.yml"); err != nil {
		t.Fatal(err)
	}
	for rule := range strings.SplitSeq(string(text), "- alert: ") {
		if _, rest, ok := strings.Cut(rule, "expr: "); ok {
			expr, texts, _ := strings.Cut(rest, "\n")
			asked = append(asked, [2]string{expr, texts})
		}
	}
	return asked
}

// TestRulesAndDashboardUseExistingMetrics checks that the metrics that the alert rules and the
// dashboard use exist, with the labels that they use. Some exist only under conditions.
func TestRulesAndDashboardUseExistingMetrics(t *testing.T) {
	conditional := []string{"sluice_disk_free_bytes", "sluice_disk_full_seconds", "sluice_host_certificate_expires_timestamp_seconds", "sluice_host_clock_offset_seconds", "sluice_host_info"}
	plain := labelsOf(t, Fleet{Now: now, Kind: Collector, Version: "1", Hosts: map[string]Host{"web01": Sender(now, beatAt(now, 0, nil), collector.Waiting{}, collector.Share{})}})
	sender := beatAt(now, 0, nil)
	sender.ClockOffset, sender.ClockKnown, sender.Expires, sender.Agent, sender.Refused = time.Hour, true, now, "sluice 1", 1
	f := example()
	f.Hosts = map[string]Host{"web04": Sender(now, sender, collector.Waiting{}, collector.Share{})}
	f.Disk = &Disk{Path: "/", FreeBytes: 1}
	known := labelsOf(t, f)
	for _, name := range conditional {
		if plain[name] != nil || known[name] == nil {
			t.Errorf("%s: %q without its condition, %q with it", name, plain[name], known[name])
		}
	}
	asked, metrics := askedFor(t), map[string]bool{}
	for _, x := range asked {
		for _, m := range metricPattern.FindAllStringSubmatch(x[0], -1) {
			metrics[m[1]] = true
		}
		for _, p := range labelProblems(x[0], x[1], known) {
			t.Errorf("%s: %s", x[0], p)
		}
	}
	for _, name := range []string{"sluice_disk_full_seconds", "sluice_host_certificate_expires_timestamp_seconds", "sluice_host_clock_offset_seconds", "sluice_host_trouble", "sluice_trouble", "sluice_host_acknowledged", "sluice_level"} {
		if !metrics[name] {
			t.Errorf("%s was not found in the dashboard and the rules", name)
		}
	}
	for _, name := range []string{"sluice.json", "rules.yml"} { // also outside expressions
		text, err := os.ReadFile("../docs/prometheus/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metricPattern.FindAllString(string(text), -1) {
			if name, _, _ := strings.Cut(m, "{"); known[name] == nil {
				t.Errorf("%s, which no process has", name)
			}
		}
	}
}

// TestWrongMetricsAndLabelsAreFound checks labelProblems itself.
func TestWrongMetricsAndLabelsAreFound(t *testing.T) {
	known := map[string][]string{"sluice_a": {"instance", "host", "kind"}, "sluice_b": {"instance", "host"}}
	for _, c := range []struct {
		expr, texts string
		problems    int
	}{
		{`sluice_a{host=~"$host"} == 2 unless on (instance, host) sluice_b == 1`, "{{ $labels.host }}: {{kind}}", 0},
		{`rate(sluice_c[5m])`, "", 1},
		{`sluice_b{kind="x"}`, "", 1},
		{`sluice_b`, "{{host}} {{kind}}", 1},
		{`sum by (sink) (sluice_b)`, "", 1},
		{`sluice_a unless on (host, kind) sluice_b`, "", 1},
	} {
		if got := labelProblems(c.expr, c.texts, known); len(got) != c.problems {
			t.Errorf("%s: %q", c.expr, got)
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
	for _, k := range kinds {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", k.kind, k.level, k.meaning))
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
