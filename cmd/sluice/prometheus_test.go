package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestARealPrometheusRaisesTheAlertOfAHostThatNeverConnected runs Prometheus with the rules of the
// documentation, with shorter times. It must raise the alert of a host that never connected, and no
// other.
func TestARealPrometheusRaisesTheAlertOfAHostThatNeverConnected(t *testing.T) {
	notShort(t, "it runs Prometheus")
	t.Parallel()
	prometheus, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("left out: %v", err)
	}
	dir := t.TempDir()
	listen, status, web := freeAddress(t), freeAddress(t), freeAddress(t)
	log := filepath.Join(dir, "access.log")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("access.log", "10.0.0.1 - - [24/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 7\n")
	rules, err := os.ReadFile("../../docs/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	short := strings.NewReplacer("for: 30s", "for: 1s", "for: 15m", "for: 1s", "for: 2m", "for: 1s", "for: 5m", "for: 1m").Replace(string(rules))
	write("rules.yml", short)
	write("prometheus.yml", fmt.Sprintf("global: {scrape_interval: 10s, scrape_timeout: 10s, evaluation_interval: 1s}\nrule_files: [rules.yml]\nscrape_configs:\n  - job_name: sluice\n    static_configs: [{targets: [%q]}]\n", status))
	collector := start(t, append(collectorArgs(filepath.Join(dir, "data"), listen), "--status-listen", status, "--silent-after", "40s", "--expect", "web01..web02")...)
	agent := start(t, agentArgs(filepath.Join(dir, "agent"), "web01", listen, log)...)
	collector.await(t, func() bool { h := askHealth(t, status); return h != nil && h.Metrics["web01"].Connections == 1 })
	c := exec.CommandContext(t.Context(), prometheus, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+web, "--log.level=error")
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = time.Minute
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	alerts := func() (firing []string) {
		r, err := http.Get("http://" + web + "/api/v1/alerts")
		if err != nil {
			return nil
		}
		defer r.Body.Close() //nolint:errcheck // it was read
		b, err := io.ReadAll(r.Body)
		var answer struct {
			Data struct {
				Alerts []struct {
					State  string
					Labels map[string]string
				}
			}
		}
		if err != nil || json.Unmarshal(b, &answer) != nil {
			return nil
		}
		for _, a := range answer.Data.Alerts {
			if a.State == "firing" {
				firing = append(firing, a.Labels["alertname"]+" "+a.Labels["host"]+" "+a.Labels["kind"])
			}
		}
		return firing
	}
	var firing []string
	collector.await(t, func() bool { firing = alerts(); return len(firing) > 0 })
	if len(firing) != 1 || firing[0] != "SluiceHostError web02 never_heard" {
		t.Errorf("alerts: %q", firing)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	c.Wait() //nolint:errcheck // it was killed
	for _, p := range []*follower{agent, collector} {
		if err := p.end(t); err != nil {
			t.Error(err)
		}
	}
}
