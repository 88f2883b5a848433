package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
	"sluice/schema"
)

var (
	historyHosts   = flag.Int("history-hosts", 0, "measure a collector with so many hosts")
	historyWithout = flag.String("history-without", "", "program without history, to compare with")
	historyFor     = flag.Duration("history-for", 3*time.Minute, "how long to measure")
)

const (
	// linesASecond is the rate of each simulated host, which sends its lines every sendInterval.
	linesASecond = 5
	sendInterval = 3 * time.Second
)

// TestHistoryCost prints CPU and memory of a collector with history and of one without, which
// receive the same lines from the same number of hosts at the same time. It asserts nothing; the
// figures are in docs/benchmarks.md.
func TestHistoryCost(t *testing.T) {
	if *historyHosts == 0 || *historyWithout == "" {
		t.Skip("left out: it measures; give -history-hosts and -history-without")
	}
	ctx, stop := context.WithCancel(t.Context())
	hosts, ctx := errgroup.WithContext(ctx)
	var sent atomic.Int64
	names := []string{"with", "without"}
	collectors := map[string]*follower{}
	for _, name := range names {
		listen := freeAddress(t)
		c := newFollower(t, "--quiet", "--data", filepath.Join(t.TempDir(), name), "collector", "--listen", listen, "--status-listen", freeAddress(t), "--connections", "2048")
		if name == "without" {
			c.Path = *historyWithout
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		collectors[name] = c
		c.await(t, func() bool { conn, err := net.Dial("tcp", listen); return err == nil && conn.Close() == nil })
		for i := range *historyHosts {
			hosts.Go(func() error { return sendAsHost(ctx, listen, i, &sent) })
		}
	}
	<-time.After(100 * time.Second) // all are connected, and all files were created at the first full minute
	before := map[string]time.Duration{}
	for name, c := range collectors {
		before[name] = cpuOf(t, c.Process.Pid)
	}
	lines, began := sent.Load(), time.Now()
	<-time.After(*historyFor)
	took := time.Since(began)
	t.Logf("%d hosts, %d lines each in %.0f s", *historyHosts, (sent.Load()-lines)/2, took.Seconds())
	for _, name := range names {
		pid := collectors[name].Process.Pid
		t.Logf("| %s | CPU %.2f s | RSS %s | PSS %s |", name, (cpuOf(t, pid) - before[name]).Seconds(), procField(t, pid, "status", "VmRSS:"), procField(t, pid, "smaps_rollup", "Pss:"))
	}
	stop()
	if err := hosts.Wait(); err != nil && t.Context().Err() == nil {
		t.Log(err)
	}
	for _, c := range collectors {
		if err := c.end(t); err != nil {
			t.Errorf("%v\n%s", err, c.output(t))
		}
	}
}

// sendAsHost is a host that sends lines and heartbeats from an address of its own until ctx is done.
func sendAsHost(ctx context.Context, collector string, number int, sent *atomic.Int64) error {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(number/250), byte(number%250+1))}, Timeout: time.Minute}
	conn, err := dialer.DialContext(ctx, "tcp", collector)
	if err != nil {
		return err
	}
	client, err := avrorpc.NewClient(ctx, conn, protocol.New(), avrorpc.ClientOptions{})
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it returns nil
	codec, err := protocol.NewCodec(1 << 20)
	if err != nil {
		return err
	}
	defer codec.Close()
	host := fmt.Sprintf("web%04d", number)
	seed := schema.StreamSeed{byte(number), byte(number >> 8)}
	id := seed.ID(host)
	hello := protocol.Hello{Host: host, Agent: "test", Streams: []protocol.Stream{{ID: id, Seed: slices.Clone(seed[:]), Path: "/var/log/apache2/access.log", Format: "common"}}}
	if _, err := client.Call(ctx, protocol.MessageHello, hello.Append(nil), nil, nil); err != nil {
		return err
	}
	started, position := time.Now(), int64(0)
	ticker := time.NewTicker(sendInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		var text strings.Builder
		n := linesASecond * int(sendInterval/time.Second)
		for range n {
			text.WriteString(lineAt(time.Now()))
		}
		b := protocol.Batch{Stream: id, Range: schema.Range{Start: position, End: position + int64(text.Len())}, Lines: n, Compression: protocol.Zstd}
		codec.Encode(&b, []byte(text.String()), nil)
		reply, err := client.Call(ctx, protocol.MessageAppend, b.AppendHead(nil), b.Body, nil)
		var r protocol.Receipt
		if err == nil {
			err = r.Decode(reply)
		}
		if err != nil {
			return err
		}
		if r.Status == protocol.OK {
			position = b.Range.End
			sent.Add(int64(n))
		}
		h := protocol.Heartbeat{Host: host, TimeMs: time.Now().UnixMilli(), Counters: map[string]int64{
			protocol.StartedMs: started.UnixMilli(), protocol.FirstChoice: 1, protocol.Files: 1,
			protocol.WrittenBytes: position, protocol.ReadBytes: position, protocol.ReceivedBytes: position, protocol.StoredBytes: r.Stored}}
		if _, err := client.Call(ctx, protocol.MessageStatus, h.Append(nil), nil, nil); err != nil {
			return err
		}
	}
}

// cpuOf returns the user and system time of a process.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	ticks := 0
	for _, f := range fields[11:13] { // of 10 ms each
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// procField returns the value of a line in a file of /proc.
func procField(t *testing.T, pid int, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
