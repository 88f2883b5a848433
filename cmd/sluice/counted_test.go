package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/monitor"
)

// TestALineIsCountedOnceHoweverOftenItsAgentIsKilled checks that the host's line count equals that
// of the log, although a killed agent sends lines again that were not acknowledged as stored.
func TestALineIsCountedOnceHoweverOftenItsAgentIsKilled(t *testing.T) {
	notShort(t, "it kills processes again and again")
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	address, status := freeAddress(t), freeAddress(t)
	// Nothing is stored while the archive file is open, so each agent sends all lines again.
	collector := start(t, "--quiet", "--data", filepath.Join(dir, "data"), "collector", "--listen", address, "--status-listen", status)
	host := func() monitor.Host {
		h, err := (&asker{at: "http://" + status + "/health", client: http.DefaultClient}).look(context.Background())
		if err != nil {
			return monitor.Host{}
		}
		return h.Metrics["web01"]
	}
	const line = "192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 404 7\n"
	lines := int64(0)
	for range 4 {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(strings.Repeat(line, 100)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		lines += 100
		agent := start(t, agentArgs(filepath.Join(dir, "agent"), "web01", address, log)...)
		agent.await(t, func() bool { x := host(); return x.Arrived != nil && x.Arrived.Lines >= lines })
		if err := agent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = agent.Wait() // it was killed
	}
	got := host()
	if got.Arrived.Lines != lines || got.Arrived.ByClass[4] != lines || got.Arrived.Bytes != lines*int64(len(line)) {
		t.Errorf("%+v, want %d lines", got.Arrived, lines)
	}
	if err := collector.end(t); err != nil {
		t.Fatalf("%v\n%s", err, collector.output(t))
	}
}
