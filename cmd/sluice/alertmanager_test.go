package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// notification is the part that is used of what an Alertmanager sends to its receivers.
type notification struct {
	Alerts []struct {
		Status string
		Labels map[string]string
	}
}

// alertmanager is a running Alertmanager with a receiver.
type alertmanager struct {
	address string
	mu      sync.Mutex
	told    map[string]bool // status and labels of each notification; guarded by mu
}

// startAlertmanager starts an Alertmanager that sends each alert to the returned receiver at once.
func startAlertmanager(t *testing.T) *alertmanager {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("left out: %v; on Debian: apt-get install prometheus-alertmanager", err)
	}
	m := &alertmanager{address: freeAddress(t), told: map[string]bool{}}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n notification
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, a := range n.Alerts {
			m.told[a.Status+" "+a.Labels["alertname"]+" "+a.Labels["host"]+" "+a.Labels["severity"]] = true
		}
	}))
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	text := fmt.Sprintf("route: {receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s}\nreceivers:\n  - name: test\n    webhook_configs: [{url: %q, send_resolved: true}]\n", receiver.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+m.address, "--cluster.listen-address=", "--log.level=error")
	c.Stderr = os.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt) // it may have ended
		_ = c.Wait()                       // it was interrupted
	})
	return m
}

// received reports whether the receiver was notified with this status.
func (m *alertmanager) received(status string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told[status+" SluiceHost web01 critical"]
}

// active returns the end of each active alert, by its labels, as Alertmanager's API has them. ok is
// false if it does not answer.
func (m *alertmanager) active(t *testing.T) (ends map[string]time.Time, ok bool) {
	t.Helper()
	r, err := http.Get("http://" + m.address + "/api/v2/alerts?active=true")
	if err != nil {
		return nil, false
	}
	defer r.Body.Close() //nolint:errcheck // it was read
	var alerts []struct {
		Labels map[string]string
		EndsAt time.Time
	}
	if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil || r.StatusCode != http.StatusOK {
		return nil, false
	}
	ends = map[string]time.Time{}
	for _, a := range alerts {
		ends[a.Labels["alertname"]+" "+a.Labels["host"]+" "+a.Labels["severity"]] = a.EndsAt
	}
	return ends, true
}

// TestAnAlertInARealAlertmanagerEnds checks that the alert of a host that never connected is active
// until the host connects, and that Alertmanager then tells its receiver that it is resolved. The
// collector that ends it is not the process that raised it.
func TestAnAlertInARealAlertmanagerEnds(t *testing.T) {
	notShort(t, "it runs Alertmanager")
	t.Parallel()
	m := startAlertmanager(t)
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	appendTo(t, log, logLine(0))
	listen, status := freeAddress(t), freeAddress(t)
	args := append(collectorArgs(filepath.Join(dir, "data"), listen), "--status-listen", status, "--silent-after", "12s", "--expect", "web01", "--message-wait", "1s",
		"--webhook-url", "http://"+m.address+"/api/v2/alerts", "--webhook-format", "alertmanager")
	collector := start(t, args...)
	collector.await(t, func() bool {
		ends, _ := m.active(t)
		end, active := ends["SluiceHost web01 critical"]
		// It is sent again after a day, and must not end before.
		return active && time.Until(end) > 24*time.Hour && m.received("firing")
	})
	collector.await(t, func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "data", "watch"))
		return err == nil && strings.Contains(string(text), `"level":"ERROR"`)
	})
	if err := collector.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	collector.Wait() //nolint:errcheck // it was killed
	collector = start(t, args...)
	agent := start(t, agentArgs(filepath.Join(dir, "agent"), "web01", listen, log)...)
	collector.await(t, func() bool {
		ends, ok := m.active(t)
		return ok && len(ends) == 0 && m.received("resolved")
	})
	for _, p := range []*follower{agent, collector} {
		if err := p.end(t); err != nil {
			t.Errorf("%v\n%s", err, p.output(t))
		}
	}
}
