package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestALogCompressedToXZWhileStoppedIsReadOn checks that a run reads the rest of a log that was
// compressed with xz while no process was running, and that /health is OKAY.
func TestALogCompressedToXZWhileStoppedIsReadOn(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	r.grow("access.log", 13)
	r.end(r.follow("access.log"))
	r.grow("access.log", 7)
	if out, err := exec.CommandContext(t.Context(), "xz", r.path("access.log")).CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: %s", err, out)
		}
		t.Skipf("left out: xz is missing: %v", err)
	}
	r.must(os.Rename(r.path("access.log.xz"), r.path("access.log.1.xz")))
	r.grow("access.log", 5)
	status := freeAddress(t)
	c := start(t, "--quiet", "--data", r.data, "run", "--host", "web01", "--cpu", "0", "--latency", "50ms", "--no-nice", "--status-listen", status, r.path("access.log"))
	r.settled(c)
	if h := askHealth(t, status); h == nil || !h.Well() || h.Metrics["web01"].LostFiles != 0 {
		t.Errorf("/health: %+v", h)
	}
	r.end(c)
	r.exact()
}

// TestTwoAgentsWithOneNameAreReported checks that every line of both agents is stored once, and
// that the log and /health contain both addresses.
func TestTwoAgentsWithOneNameAreReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, address, status := filepath.Join(dir, "data"), freeAddress(t), freeAddress(t)
	collector := start(t, append(collectorArgs(data, address), "--status-listen", status)...)
	var logs bytes.Buffer
	agents := [2]*follower{}
	for i := range agents {
		path := filepath.Join(dir, fmt.Sprintf("access%d.log", i))
		var text bytes.Buffer
		for k := range 100 {
			fmt.Fprintf(&text, "10.0.0.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /%d/%d HTTP/1.1\" 200 7\n", i, k)
		}
		logs.Write(text.Bytes())
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		agents[i] = start(t, agentArgs(filepath.Join(dir, fmt.Sprint("agent", i)), "web01", address, path)...)
	}
	twins := regexp.MustCompile(`two agents use this name, at 127\.0\.0\.1:\d+ and 127\.0\.0\.1:\d+`)
	collector.await(t, func() bool {
		h := askHealth(t, status)
		return h != nil && !h.Well() && h.Metrics["web01"].Lines >= 200 && twins.MatchString(strings.Join(h.Metrics["web01"].Reasons, "\n"))
	})
	collector.await(t, func() bool {
		return twins.MatchString(collector.output(t)) && strings.Contains(collector.output(t), "level=WARN")
	})
	for _, a := range agents {
		if err := a.end(t); err != nil {
			t.Errorf("%v\n%s", err, a.output(t))
		}
	}
	if err := collector.end(t); err != nil {
		t.Fatalf("%v\n%s", err, collector.output(t))
	}
	storedOnce(t, data, logs.Bytes())
}

// TestFourThousandLogsAndAThousandDescriptors checks that all lines of 4,000 logs are stored with
// 1,024 descriptors, and that removed logs are closed soon.
func TestFourThousandLogsAndAThousandDescriptors(t *testing.T) {
	if raceDetector {
		t.Skip("4,000 new logs take minutes with the race detector beside other tests: make plain runs it")
	}
	t.Parallel()
	const logs, kept, limit = 4000, 50, 1024
	r := newRotated(t)
	for i := range logs {
		line := fmt.Appendf(nil, "192.0.2.1 - - [28/Nov/2026:10:00:00 +0000] \"GET /%d HTTP/1.1\" 200 17\n", i)
		r.must(os.WriteFile(r.path(fmt.Sprintf("%04d.log", i)), line, 0o600))
		r.written.Write(line)
	}
	status := freeAddress(t)
	c := startWith(t, limit, "--quiet", "--data", r.data, "run", "--host", "web01", "--cpu", "0", "--latency", "1s", "--no-nice", "--status-listen", status, r.path("*.log"))
	well := func(files int) func() bool {
		return func() bool {
			h := askHealth(t, status)
			return h != nil && h.Well() && h.Metrics["web01"].Files == int64(files) && h.Metrics["web01"].ReadBytes > 0 && h.Metrics["web01"].ReadBytes == h.Metrics["web01"].WrittenBytes
		}
	}
	c.await(t, well(logs))
	for i := range logs {
		if i < kept {
			r.grow(fmt.Sprintf("%04d.log", i), 1)
		} else {
			r.must(os.Remove(r.path(fmt.Sprintf("%04d.log", i))))
		}
	}
	c.await(t, func() bool {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.Process.Pid))
		r.must(err)
		return len(fds) < 2*kept
	})
	c.await(t, well(kept))
	if s := r.end(c); s.LostFiles != 0 || len(s.Logs.Failing) > 0 {
		t.Errorf("%d logs are lost, %v fail", s.LostFiles, s.Logs.Failing)
	}
	sameLines(t, "archive", archived(t, filepath.Join(r.data, "archive")), r.written.Bytes())
	sameLines(t, "table", r.sluice(0, "scan", "--output", "raw"), r.written.Bytes())
}
