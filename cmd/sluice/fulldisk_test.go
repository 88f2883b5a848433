package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/monitor"
)

// smallDisk returns a directory with its own file system of the given size. fill fills it
// completely, and free releases what fill used. The test is skipped if a tmpfs cannot be mounted,
// except in CI.
func smallDisk(t *testing.T, bytes int) (dir string, fill, free func()) {
	t.Helper()
	notShort(t, "it fills a disk")
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mount a tmpfs (it needs root): %v", err)
		}
		t.Skipf("left out: a tmpfs cannot be mounted here (it needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	filler := filepath.Join(dir, "filler")
	fill = func() {
		f, err := os.OpenFile(filler, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for block := make([]byte, 4096); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		f.Close() //nolint:errcheck // full
	}
	free = func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	return dir, fill, free
}

// fullDisk is the test of a run, or of an agent and its collector, on a disk that is full at times.
type fullDisk struct {
	t         *testing.T
	dir, data string
	log       string
	lines     []string
}

func (d *fullDisk) write(n int) {
	d.t.Helper()
	f, err := os.OpenFile(d.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	for range n {
		line := fmt.Sprintf(`10.0.0.1 - - [28/Nov/2026:10:00:00 +0000] "GET /line/%d HTTP/1.1" 200 7`, len(d.lines))
		d.lines = append(d.lines, line)
		if _, err := fmt.Fprintln(f, line); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		d.t.Fatal(err)
	}
}

// said is the path of the file with a process's standard error; String returns its content.
type output string

func (s output) String() string {
	b, err := os.ReadFile(string(s))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// start starts a command. stop sends SIGTERM, waits for the end, and fails the test after five
// minutes.
func (d *fullDisk) start(args ...string) (stderr output, stop func() error) {
	d.t.Helper()
	file, err := os.Create(filepath.Join(d.t.TempDir(), "stderr"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	stderr = output(file.Name())
	cmd := command(d.t, args...)
	cmd.Stderr = file
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	stop = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			d.t.Fatal(err)
		}
		kill := time.AfterFunc(5*time.Minute, func() { d.t.Error("it ignores SIGTERM"); cmd.Process.Kill() }) //nolint:errcheck // the test failed
		defer kill.Stop()
		return cmd.Wait()
	}
	return stderr, stop
}

func (d *fullDisk) output(args ...string) (string, int) {
	d.t.Helper()
	cmd := command(d.t, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// eventually runs a command until its output contains the text. The command runs in this process,
// which takes a tenth of the CPU of a new one.
func (d *fullDisk) eventually(text string, stderr output, args ...string) {
	d.t.Helper()
	var out bytes.Buffer
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); <-time.After(300 * time.Millisecond) {
		out.Reset()
		run(d.t.Context(), args, nil, &out, &out)
		if strings.Contains(out.String(), text) {
			return
		}
	}
	d.t.Fatalf("%v never said %q, but:\n%s\n%s", args, text, &out, stderr)
}

// holds compares the written lines with table and archive, and runs an audit.
func (d *fullDisk) holds() {
	d.t.Helper()
	for _, args := range [][]string{{"scan", "--data", d.data, "--output", "raw"}, {"archive", "cat", "--archive", "dir:" + d.data + "/archive/%Y%m%d/%{host}"}} {
		cmd := command(d.t, args...)
		out, err := cmd.Output()
		if err != nil {
			d.t.Fatalf("%v: %v", args, err)
		}
		got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		want := slices.Clone(d.lines)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			d.t.Errorf("%s has %d lines, or other ones; %d were written", args[0], len(got), len(want))
		}
	}
	if out, code := d.output("audit", "--data", d.data); code != 0 {
		d.t.Errorf("audit: %d\n%s", code, out)
	}
}

func (d *fullDisk) run(more ...string) []string {
	return append([]string{"run", "--data", d.data, "--host", "web01", "--no-nice", "--cpu", "100", "--roll-idle", "1s"}, append(more, d.log)...)
}

func newFullDisk(t *testing.T, size int) (d *fullDisk, fill, free func()) {
	t.Helper()
	dir, fill, free := smallDisk(t, size)
	return &fullDisk{t: t, dir: dir, data: filepath.Join(dir, "data"), log: filepath.Join(t.TempDir(), "access.log")}, fill, free
}

// TestAStartOnAFullDiskEndsOrWaitsForRoom checks that a command with an end fails with the cause
// and a hint, and that a command that follows waits, can be stopped, and continues when there is
// space.
func TestAStartOnAFullDiskEndsOrWaitsForRoom(t *testing.T) {
	d, fill, free := newFullDisk(t, 12<<20)
	d.write(1000)
	once := []string{"run", "--once", "--data", d.data, "--host", "web01", d.log}
	if out, code := d.output(once...); code != 0 {
		t.Fatal(out)
	}
	stderr, stop := d.start(d.run()...)
	d.eventually("running as", stderr, "status", "--data", d.data)
	if err := stop(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	fill()
	d.write(1000)
	for _, args := range [][]string{once, {"run", "--from-archive", "dir:" + d.data + "/archive/%Y%m%d/%{host}", "--data", d.data}} {
		out, code := d.output(args...)
		if code != 1 || !strings.Contains(out, syscall.ENOSPC.Error()) || !strings.Contains(out, "hint: free space") {
			t.Errorf("%v: %d\n%s", args, code, out)
		}
	}
	for range 2 {
		stderr, stop = d.start(d.run()...)
		d.eventually("spool for", stderr, "status", "--data", d.data)
		// The status may be that of the previous process. One that has logged something handles signals.
		for end := time.Now().Add(5 * time.Minute); !strings.Contains(stderr.String(), "level=") && time.Now().Before(end); {
			<-time.After(50 * time.Millisecond)
		}
		if err := stop(); err != nil {
			t.Errorf("stopped on a full disk: %v\n%s", err, stderr)
		}
	}
	stderr, stop = d.start(d.run()...)
	d.eventually("spool for", stderr, "status", "--data", d.data)
	free()
	d.write(1000)
	d.eventually("rows=3000", stderr, "audit", "--data", d.data)
	if err := stop(); err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
	d.holds()
}

// TestADiskThatFillsUpInARunLosesNothing fills the disk of the table, the spool, the checkpoint and
// the archive during a run.
func TestADiskThatFillsUpInARunLosesNothing(t *testing.T) {
	t.Parallel()
	d, fill, free := newFullDisk(t, 24<<20)
	d.write(1000)
	stderr, stop := d.start(d.run()...)
	d.eventually("stored: 1000 lines", stderr, "status", "--data", d.data)
	for range 2 {
		fill()
		d.write(20_000)
		d.eventually("FAILING, RETRYING", stderr, "status", "--data", d.data)
		free()
		d.eventually(fmt.Sprintf("stored: %d lines", len(d.lines)), stderr, "status", "--data", d.data)
		d.eventually(fmt.Sprintf("rows=%d ", len(d.lines)), stderr, "audit", "--data", d.data)
	}
	fill()
	d.write(20_000)
	d.eventually("FAILING, RETRYING", stderr, "status", "--data", d.data)
	if err := stop(); err != nil {
		t.Errorf("stopped on a full disk: %v\n%s", err, stderr)
	}
	free()
	if out, code := d.output("run", "--once", "--data", d.data, "--host", "web01", d.log); code != 0 {
		t.Fatal(out)
	}
	d.holds()
}

// TestAFreshStartOnAFullDiskWaits checks a first start of a collector and an agent: without an
// existing status file, they have no blocks to reuse.
func TestAFreshStartOnAFullDiskWaits(t *testing.T) {
	d, fill, free := newFullDisk(t, 16<<20)
	d.write(1000)
	fill()
	agent := filepath.Join(d.dir, "agent")
	collector, stopCollector := d.start("collector", "--data", d.data, "--listen", "127.0.0.1:0", "--roll-idle", "1s")
	sender, stopSender := d.start("agent", "--data", agent, "--host", "web01", "--collector", "127.0.0.1:1", d.log)
	for _, stderr := range []output{collector, sender} {
		for end := time.Now().Add(5 * time.Minute); !strings.Contains(stderr.String(), "start failed, retrying"); <-time.After(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not reported: %s", stderr)
			}
		}
	}
	if err := stopSender(); err != nil {
		t.Errorf("the agent: %v\n%s", err, sender)
	}
	free()
	d.eventually("running as", collector, "status", "--data", d.data)
	if err := stopCollector(); err != nil {
		t.Errorf("the collector: %v\n%s", err, collector)
	}
}

// TestADiskThatFillsUpUnderACollectorOrAnAgentLosesNothing checks that each of them reports on
// /health what fails, and continues when there is space.
func TestADiskThatFillsUpUnderACollectorOrAnAgentLosesNothing(t *testing.T) {
	t.Parallel() // it mostly waits for retries
	d, fill, free := newFullDisk(t, 24<<20)
	agentDisk, fillAgent, freeAgent := smallDisk(t, 1<<20)
	agentDir := filepath.Join(agentDisk, "data")
	d.write(1000)
	address, collectorStatus, agentStatus := freeAddress(t), freeAddress(t), freeAddress(t)
	collector := start(t, "--data", d.data, "collector", "--listen", address, "--status-listen", collectorStatus, "--roll-idle", "1s")
	agent := start(t, "--data", agentDir, "agent", "--host", "web01", "--collector", address, "--status-listen", agentStatus, "--no-nice", "--cpu", "0", "--latency", "100ms", d.log)
	failing := func(address string, names ...string) func() bool {
		return func() bool {
			h := askHealth(t, address)
			return h != nil && slices.ContainsFunc(names, func(name string) bool {
				return h.Process.Sinks[name].FailingSeconds > 0 && strings.Contains(h.Process.Sinks[name].Error, syscall.ENOSPC.Error())
			})
		}
	}
	stored := func() bool {
		info, err := os.Stat(d.log)
		if err != nil {
			t.Fatal(err)
		}
		h := askHealth(t, agentStatus)
		return h != nil && h.Well() && h.Metrics["web01"].StoredBytes == info.Size()
	}
	agent.await(t, stored)
	fill()
	d.write(20_000)
	collector.await(t, failing(collectorStatus, monitor.Spool, monitor.Table, monitor.Checkpoint, monitor.Archive))
	free()
	agent.await(t, stored)

	fillAgent()
	d.write(1000)
	agent.await(t, failing(agentStatus, monitor.Checkpoint))
	agent.await(t, stored) // lines are still stored: the log and the collector have them
	if out, code := d.output("status", "--data", agentDir); code != 1 || !strings.Contains(out, "checkpoint cannot be saved") {
		t.Errorf("status: %d\n%s", code, out)
	}
	freeAgent()
	agent.await(t, func() bool {
		h := askHealth(t, agentStatus)
		return h != nil && h.Process.Sinks[monitor.Checkpoint] == monitor.Sink{Status: "OKAY"}
	})
	for _, c := range []*follower{agent, collector} {
		if err := c.end(t); err != nil {
			t.Errorf("%v\n%s", err, c.output(t))
		}
	}
	d.holds()
}
