package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/bench/fleet"
	"sluice/monitor"
)

// TestWhatAgentsSendIsStoredOnceWhateverIsKilled runs two hosts with rotated logs, an agent on
// each, and a collector. All three processes are killed with SIGKILL at random times and restarted;
// then archive and table must contain every line exactly once.
func TestWhatAgentsSendIsStoredOnceWhateverIsKilled(t *testing.T) {
	notShort(t, "it kills processes again and again")
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	logs := []string{filepath.Join(dir, "web01"), filepath.Join(dir, "web02")}
	servers := []*fleet.Fleet{
		server(t, logs[0], fleet.Config{Rotation: fleet.Rename, RotateEvery: 1500 * time.Millisecond, LateFor: time.Second, Seed: seed}),
		server(t, logs[1], fleet.Config{Rotation: fleet.CopyTruncate, RotateEvery: 1100 * time.Millisecond, Seed: seed}),
	}
	address := freeAddress(t)
	data := filepath.Join(dir, "data")
	programs := [][]string{collectorArgs(data, address)}
	for i, folder := range logs {
		programs = append(programs, agentArgs(filepath.Join(dir, fmt.Sprint("agent", i)), fmt.Sprintf("web0%d", i+1), address, filepath.Join(folder, "*.log*")))
	}

	ctx, stopServers := context.WithCancel(t.Context())
	working, ctx := errgroup.WithContext(ctx)
	for _, f := range servers {
		working.Go(func() error { return serve(ctx, f) })
	}
	t.Run("killed", func(t *testing.T) {
		for i, args := range programs {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			t.Run(args[3], func(t *testing.T) {
				t.Parallel()
				killAgainAndAgain(t, random, args)
			})
		}
	})
	stopServers()
	if err := working.Wait(); err != nil || t.Failed() {
		t.Fatal(err)
	}
	collector := start(t, programs[0]...)
	for i, args := range programs[1:] {
		untilAllIsSent(t, filepath.Join(dir, fmt.Sprint("agent", i)), args)
	}
	if err := collector.end(t); err != nil {
		t.Fatalf("%v\n%s", err, collector.output(t))
	}
	sameAsLogs(t, data, servers, logs)
}

// TestASecondSignalEndsAnAgentAtOnce checks that a second signal ends an agent even if its
// collector hangs and does not answer. The next start sends the remaining lines.
func TestASecondSignalEndsAnAgentAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, data, collected := filepath.Join(dir, "access.log"), filepath.Join(dir, "agent"), filepath.Join(dir, "data")
	if err := os.WriteFile(log, []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	collector := start(t, collectorArgs(collected, address)...)
	args := append(agentArgs(data, "web01", address, log), "--drain", "1h")
	c := start(t, args...)
	c.await(t, func() bool {
		s, err := monitor.Read(statusPath(data))
		return err == nil && s.Sending.Connected && s.Logs.Files > 0
	})
	if err := collector.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	late := time.After(5 * time.Minute)
	for over := false; !over; {
		select {
		case <-ended:
			over = true
		case <-again.C: // the first starts the drain; signals sent at once may be merged
			_ = c.Process.Signal(syscall.SIGTERM) // the process may have ended already
		case <-late:
			t.Fatalf("it does not end\n%s", c.output(t))
		}
	}
	if c.ProcessState.Exited() {
		t.Fatalf("it ended by itself: %v\n%s", c.ProcessState, c.output(t))
	}
	if err := collector.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	untilAllIsSent(t, data, args)
	if err := collector.end(t); err != nil {
		t.Fatalf("%v\n%s", err, collector.output(t))
	}
	sameLines(t, "archive", archived(t, filepath.Join(collected, "archive")), []byte("a line\n"))
}

// killAgainAndAgain starts sluice and kills it six times within about ten seconds.
func killAgainAndAgain(t *testing.T, random *rand.Rand, args []string) {
	for range 6 {
		c := start(t, args...)
		timer := time.AfterFunc(time.Duration(500+random.Int64N(1500))*time.Millisecond, func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if c.ProcessState.Exited() {
			t.Fatalf("it ended before it was killed: %v\n%s", err, c.output(t))
		}
	}
}

func collectorArgs(data, address string) []string {
	return []string{"--quiet", "--data", data, "collector", "--listen", address, "--roll-size", "1", "--roll-interval", "2s", "--drain", "5m"}
}

func agentArgs(data, host, collectors, glob string) []string {
	return []string{"--quiet", "--data", data, "agent", "--collector", collectors, "--host", host, "--cpu", "0", "--latency", "100ms", "--no-nice", glob}
}

// freeAddress returns an address on which nothing listens, and which no other test gets while this
// one runs, nor a client while a server is restarted: the port is below those that the kernel chooses
// itself, and the UDP port of the same number is a lock between the processes of tests.
func freeAddress(t *testing.T) string {
	t.Helper()
	const first, ports = 27_000, 4_000 // between those of test/cluster
	for range ports {
		address := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(ports))
		lock, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			t.Cleanup(func() { lock.Close() })
			return address
		}
		lock.Close()
	}
	t.Fatal("no port is free")
	return ""
}

// untilAllIsSent runs an agent until a collector has acknowledged all of its lines, then stops it.
func untilAllIsSent(t *testing.T, data string, args []string) {
	t.Helper()
	c := start(t, args...)
	c.await(t, func() bool {
		s, err := monitor.Read(statusPath(data))
		return err == nil && s.PID == c.Process.Pid && s.Logs.Files > 0 && s.Logs.UnreadBytes == 0 && s.Sending.Connected && s.Sending.UnacknowledgedBytes == 0
	})
	if err := c.end(t); err != nil {
		t.Fatalf("%v\n%s", err, c.output(t))
	}
}

// sameAsLogs fails unless archive and table of a data directory contain the lines of the logs, each
// once, and the spool is empty.
func sameAsLogs(t *testing.T, data string, servers []*fleet.Fleet, folders []string) {
	t.Helper()
	var logs []byte
	for _, folder := range folders {
		for _, path := range files(t, folder) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			logs = append(logs, text...)
		}
	}
	written := 0
	for _, f := range servers {
		n, _, rotations := f.Written()
		t.Logf("%d lines, %d rotations", n, rotations)
		written += int(n)
	}
	if n := bytes.Count(logs, []byte("\n")); n != written {
		t.Fatalf("the logs hold %d lines, %d were written", n, written)
	}
	sameLines(t, "archive", archived(t, filepath.Join(data, "archive")), logs)
	var rows, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--data", data, "scan", "--output", "raw"}, nil, &rows, &stderr); code != 0 {
		t.Fatalf("scan: status %d: %s", code, &stderr)
	}
	sameLines(t, "table", rows.Bytes(), logs)
	if left := files(t, filepath.Join(data, "spool")); len(left) > 0 {
		t.Errorf("segments left in the spool: %v", left)
	}
}
