package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/agent"
	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/tail"
	"sluice/monitor"
)

// TestACollectorWithFewDescriptorsServesAllHostsInTurn runs 40 hosts against a collector with 48
// file descriptors. The collector must not end, must report on /health that it rejects connections,
// and must store every line of every host once.
func TestACollectorWithFewDescriptorsServesAllHostsInTurn(t *testing.T) {
	t.Parallel() // it mostly waits for connections to be accepted
	const hosts, linesPerHost = 40, 5
	dir := t.TempDir()
	data, address, status := filepath.Join(dir, "data"), freeAddress(t), freeAddress(t)
	args := []string{"--data", data, "collector", "--listen", address, "--status-listen", status, "--roll-idle", "2s"}
	collector := startWith(t, 48, append(args, "--drain", "1s")...)
	collector.await(t, func() bool { return askHealth(t, status) != nil })

	ctx, stop := context.WithCancel(t.Context())
	agents, ctx := errgroup.WithContext(ctx)
	var logs bytes.Buffer
	for i := range hosts {
		path := filepath.Join(dir, fmt.Sprintf("web%02d", i), "access.log")
		var lines bytes.Buffer
		for k := range linesPerHost {
			fmt.Fprintf(&lines, "10.0.0.1 - - [24/Nov/2026:10:00:0%d +0000] \"GET /%d/%d HTTP/1.1\" 200 %d\n", k, i, k, k)
		}
		logs.Write(lines.Bytes())
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, lines.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		a := agentFrom(t, net.IPv4(127, 0, 1, byte(i+1)), address, path)
		agents.Go(func() error { return a.Run(ctx) })
	}
	rejects := false
	collector.await(t, func() bool {
		h := askHealth(t, status)
		if h == nil {
			return false
		}
		rejects = rejects || strings.Contains(strings.Join(h.Process.Warnings, "\n"), "connection limit reached")
		received := int64(0)
		for _, host := range h.Metrics {
			received += host.ReceivedBytes
		}
		return received == int64(logs.Len())
	})
	if !rejects {
		t.Error("/health did not report that connections are rejected")
	}
	stop()
	if err := agents.Wait(); err != nil {
		t.Error(err)
	}
	if err := collector.end(t); err != nil {
		t.Fatalf("%v\n%s", err, collector.output(t))
	}
	// Lines that could not be stored in the table for lack of descriptors are in the spool.
	collector = startWith(t, 0, args...)
	collector.await(t, func() bool { return askHealth(t, status) != nil })
	if err := collector.end(t); err != nil {
		t.Fatalf("%v\n%s", err, collector.output(t))
	}
	storedOnce(t, data, logs.Bytes())
}

// TestHostsBehindOneAddressAreConnectedAtTheSameTime: hosts behind a NAT gateway have one address, of
// which a collector with so few files would serve three at a time.
func TestHostsBehindOneAddressAreConnectedAtTheSameTime(t *testing.T) {
	t.Parallel()
	const hosts = 8
	dir := t.TempDir()
	address, status := freeAddress(t), freeAddress(t)
	collector := startWith(t, 96, append(collectorArgs(filepath.Join(dir, "data"), address), "--status-listen", status, "--address-connections", fmt.Sprint(hosts))...)
	ctx, stop := context.WithCancel(t.Context())
	agents, ctx := errgroup.WithContext(ctx)
	for i := range hosts {
		path := filepath.Join(dir, fmt.Sprintf("web%02d", i), "access.log")
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		appendTo(t, path, logLine(i))
		a := agentFrom(t, net.IPv4(127, 0, 0, 1), address, path)
		agents.Go(func() error { return a.Run(ctx) })
	}
	collector.await(t, func() bool {
		h, connected := askHealth(t, status), 0
		if h == nil {
			return false
		}
		for _, host := range h.Metrics {
			if host.Connections == 1 && host.ReceivedBytes > 0 {
				connected++
			}
		}
		return connected == hosts
	})
	stop()
	if err := agents.Wait(); err != nil {
		t.Error(err)
	}
	if err := collector.end(t); err != nil {
		t.Errorf("%v\n%s", err, collector.output(t))
	}
}

// TestLimitsOfConnectionsThatCannotBeKeptAreRefused checks the exit status and the hints.
func TestLimitsOfConnectionsThatCannotBeKeptAreRefused(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"--connections", "49"}, "--connections 49: this process can open 96 files, and at most 48 of them may be connections\nhint: raise LimitNOFILE="},
		{[]string{"--address-connections", "49"}, "--address-connections 49: all addresses together may have 48 connections\nhint: raise --connections, too"},
		{[]string{"--connections", "10", "--address-connections", "11"}, "all addresses together may have 10 connections"},
		{[]string{"--connections", "-1"}, "must be at least 1"},
	} {
		c := startWith(t, 96, append(collectorArgs(t.TempDir(), freeAddress(t)), x.args...)...)
		if c.Wait(); c.ProcessState.ExitCode() != 2 || !strings.Contains(c.output(t), x.want) { //nolint:errcheck // the status is checked
			t.Errorf("%q: %v\n%s", x.args, c.ProcessState, c.output(t))
		}
	}
}

// startWith starts sluice with a limit of open files; 0 keeps the current limit.
func startWith(t *testing.T, openFiles int, args ...string) *follower {
	t.Helper()
	c := newFollower(t, args...)
	if openFiles > 0 {
		c.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, openFiles), "sh", c.Path}, args...)
		c.Path = "/bin/sh"
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// agentFrom returns an agent that connects from the address from. The host's name is that of the
// directory of path.
func agentFrom(t *testing.T, from net.IP, collector, path string) *agent.Agent {
	t.Helper()
	dir := filepath.Dir(path)
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(dir, "checkpoint"), "agent")
	if err != nil {
		t.Fatal(err)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: time.Minute}
	log := slog.New(slog.DiscardHandler)
	return agent.New(agent.Config{
		Collectors: []string{collector}, Checkpoint: file, Name: "test", WindowBytes: 1 << 20,
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		},
		Heartbeat: 500 * time.Millisecond, Drain: time.Millisecond, Log: log,
		Tail: tail.Config{Sources: []tail.Source{{Pattern: path, Format: "common"}}, Host: filepath.Base(dir), Latency: 100 * time.Millisecond, Log: log},
	})
}

// askHealth returns the health from a status port, nil if it did not answer. The time limit is for a
// process that hangs.
func askHealth(t *testing.T, address string) *monitor.Health {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer reply.Body.Close()
	var h monitor.Health
	if err := json.NewDecoder(reply.Body).Decode(&h); err != nil {
		return nil
	}
	return &h
}

// storedOnce fails unless archive and table of a data directory contain the lines, each once, and
// an audit finds no difference.
func storedOnce(t *testing.T, data string, logs []byte) {
	t.Helper()
	sameLines(t, "archive", archived(t, filepath.Join(data, "archive")), logs)
	var rows, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--data", data, "scan", "--output", "raw"}, nil, &rows, &stderr); code != 0 {
		t.Fatalf("scan: status %d: %s", code, &stderr)
	}
	sameLines(t, "table", rows.Bytes(), logs)
	if out, err := command(t, "--data", data, "audit", "--archive", "dir:"+data+"/archive/%Y%m%d/%{host}").CombinedOutput(); err != nil {
		t.Errorf("audit: %v\n%s", err, out)
	}
}
