package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestAWebhookReportsAHostThatNeverConnected checks that the message about a host that never
// connected is sent once, even if the process is killed and started again, and that no ping is sent
// while the error lasts.
func TestAWebhookReportsAHostThatNeverConnected(t *testing.T) {
	t.Parallel()
	var posts, pings atomic.Int64
	reported := make(chan string, 8)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			pings.Add(1)
			return
		}
		var m struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		posts.Add(1)
		reported <- m.Text
	}))
	defer server.Close()
	dir := t.TempDir()
	status := freeAddress(t)
	args := append(collectorArgs(filepath.Join(dir, "data"), freeAddress(t)), "--status-listen", status, "--silent-after", "1s", "--expect", "web01", "--message-wait", "2s",
		"--webhook-url", server.URL+"/hook", "--ping-url", server.URL+"/ping")
	c := start(t, args...)
	var text string
	c.await(t, func() bool {
		select {
		case text = <-reported:
			return true
		default:
			return false
		}
	})
	if !strings.HasPrefix(text, "sluice ERROR: web01\n") || !strings.Contains(text, "never_heard: never heard, expected since ") {
		t.Errorf("%s", text)
	}
	watched := filepath.Join(dir, "data", "watch")
	c.await(t, func() bool {
		text, err := os.ReadFile(watched)
		return err == nil && strings.Contains(string(text), `"level":"ERROR"`)
	})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait() //nolint:errcheck // it was killed
	before := pings.Load()
	c = start(t, args...)
	c.await(t, func() bool { h := askHealth(t, status); return h != nil && h.Process.UpSeconds > 10 })
	if posts.Load() != 1 || pings.Load() != before {
		t.Errorf("%d messages, %d pings after the restart", posts.Load(), pings.Load()-before)
	}
	if err := c.end(t); err != nil {
		t.Error(err)
	}
}
