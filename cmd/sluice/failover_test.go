package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/ingest/agent"
	"sluice/monitor"
)

// TestASilentHostIsReportedByTheCollectorThatItUsedLast checks that a host is not reported as silent by a
// collector that it left in an orderly way, and that it is reported by the second collector if it
// is killed while connected to that one.
func TestASilentHostIsReportedByTheCollectorThatItUsedLast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	if err := os.WriteFile(log, []byte("10.0.0.1 - - [24/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	order := agent.Preference("web01", []string{freeAddress(t), freeAddress(t)})
	var args [2][]string
	var status [2]string
	var collectors [2]*follower
	for i, address := range order {
		status[i] = freeAddress(t)
		args[i] = append(collectorArgs(filepath.Join(dir, "c", string(rune('0'+i))), address), "--status-listen", status[i], "--silent-after", "8s", "--expect", "web01")
		if err := os.MkdirAll(filepath.Join(dir, "c"), 0o700); err != nil {
			t.Fatal(err)
		}
		collectors[i] = start(t, args[i]...)
	}
	a := start(t, append(agentArgs(filepath.Join(dir, "agent"), "web01", strings.Join(order, ","), log), "--failover-after", "1s")...)
	is := func(i int, want func(x monitor.Host, here bool) bool) {
		t.Helper()
		a.await(t, func() bool {
			h := askHealth(t, status[i])
			if h == nil {
				return false
			}
			x, here := h.Metrics["web01"]
			return want(x, here)
		})
	}
	// The agent also connects for a moment, to tell a collector that it is at the other one.
	seen := 0
	connected := func(x monitor.Host, _ bool) bool {
		if seen++; x.Connections != 1 || x.Status != monitor.Okay {
			seen = 0
		}
		if seen <= 10 {
			return false
		}
		seen = 0
		return true
	}
	elsewhere := func(x monitor.Host, here bool) bool { return !here || x.Elsewhere && x.Status == monitor.Okay }
	silent := func(x monitor.Host, _ bool) bool {
		return len(x.Problems) == 1 && x.Problems[0].Kind == monitor.Silent
	}
	is(0, connected)
	is(1, elsewhere) // both collectors expect the host
	end := func(i int) {
		t.Helper()
		if err := collectors[i].end(t); err != nil {
			t.Error(err)
		}
	}
	end(0)
	is(1, connected)
	collectors[0] = start(t, args[0]...)
	is(0, connected)
	is(1, elsewhere)
	end(0)
	is(1, connected)
	if err := a.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	a.Wait() //nolint:errcheck // it was killed
	is(1, silent)
	collectors[1].Process.Kill() //nolint:errcheck // Wait returns its status
	collectors[1].Wait()         //nolint:errcheck // it was killed
	collectors[1] = start(t, args[1]...)
	is(1, silent)
	end(1)
}
