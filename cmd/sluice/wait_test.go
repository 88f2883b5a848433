package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peerOf listens on this machine and calls serve with each connection until the test ends.
func peerOf(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go serve(c)
		}
	}()
	return l.Addr().String()
}

func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// garbage responds like a server of another protocol, whose first bytes are not a length.
func garbage(c net.Conn) {
	_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
	silent(c)
}

func hangsUp(c net.Conn) { _ = c.Close() }

// blackhole returns an address that does not answer packets: a socket that accepts no connections
// and has a full backlog.
func blackhole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	for range 16 {
		if c := dialInTime(address); c != nil {
			t.Cleanup(func() { _ = c.Close() })
			continue
		}
		return address
	}
	t.Fatal("the backlog is not full")
	return ""
}

// dialInTime returns a connection, nil if there is none within the time limit: once is not enough on
// a machine that is so busy that this process does not run for so long.
func dialInTime(address string) net.Conn {
	for range 3 {
		if c, err := net.DialTimeout("tcp", address, 300*time.Millisecond); err == nil {
			return c
		}
	}
	return nil
}

// zooKeeperWithoutHBase accepts sessions and has no nodes.
func zooKeeperWithoutHBase(c net.Conn) {
	reply := func(body []byte) {
		_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	}
	for first := true; ; first = false {
		var length [4]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		request := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(c, request); err != nil {
			return
		}
		if first { // ConnectResponse: version, timeout, session, password
			body := binary.BigEndian.AppendUint32(make([]byte, 4), 10_000)
			body = binary.BigEndian.AppendUint64(body, 1)
			reply(append(binary.BigEndian.AppendUint32(body, 16), make([]byte, 16)...))
			continue
		}
		const noNode, ping, closeSession = -101, 11, -11
		code := int32(noNode)
		if op := int32(binary.BigEndian.Uint32(request[4:])); op == ping || op == closeSession {
			code = 0
		}
		reply(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(bytes.Clone(request[:4]), 1), uint32(code)))
	}
}

// TestAClusterThatDoesNotAnswerTimesOut checks that commands that a user waits for end after
// --wait with a hint and an error that names each server and its failure.
func TestAClusterThatDoesNotAnswerTimesOut(t *testing.T) {
	dead, hole := freeAddress(t), blackhole(t)
	mute, odd, short := peerOf(t, silent), peerOf(t, garbage), peerOf(t, hangsUp)
	empty := peerOf(t, zooKeeperWithoutHBase)
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, []byte("192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := strings.Join([]string{dead, hole, mute, odd, short, "nosuch.invalid:2181"}, ",")
	// Each server is asked at least once in this time, also on a busy machine.
	waitForAll, waitForOne, timeout := "20s", "2s", "500ms"
	if raceDetector {
		waitForAll, waitForOne, timeout = "60s", "20s", "5s"
	}
	saysAll := []string{dead + ": ", "connection refused", hole + ": ", "i/o timeout", mute + ": it accepted the connection", odd + ": ", "HTTP", short + ": ", "nosuch.invalid", "lookup"}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"schema apply, ZooKeeper":    {[]string{"schema", "apply", "--table", "hbase://" + all + "/t", "--hbase-timeout", timeout, "--wait", waitForAll}, saysAll},
		"scan, a dead port":          {[]string{"scan", "--table", "hbase://" + dead + "/t", "--wait", waitForOne}, []string{dead + ": ", "connection refused"}},
		"scan, masters":              {[]string{"scan", "--table", "hbase+rpc://" + strings.Join([]string{dead, hole, mute, odd}, ",") + "/t", "--hbase-timeout", timeout, "--wait", waitForAll}, []string{dead + ": ", "connection refused", hole + ": ", "timeout", mute + ": ", odd + ": ", "malformed"}},
		"scan, garbage":              {[]string{"scan", "--table", "hbase://" + odd + "/t", "--wait", waitForOne}, []string{`not ZooKeeper's: it begins "HTTP"`}},
		"scan, no master registered": {[]string{"scan", "--table", "hbase://" + empty + "/t", "--wait", waitForOne}, []string{empty, "/hbase/master", "the node does not exist", "hint: check that HBase's master runs"}},
		"scan, another node":         {[]string{"scan", "--table", "hbase://" + empty + "/other/t", "--wait", waitForOne}, []string{"/other/master", "zookeeper.znode.parent"}},
		"archive ls":                 {[]string{"archive", "ls", "hdfs://" + strings.Join([]string{dead, mute, odd, short, hole, "nosuch.invalid:8020"}, ",") + "/logs", "--wait", waitForAll}, []string{dead + ": ", "connection refused", mute + ": it accepted the connection", odd + ": ", `"HTTP"`, short + ": ", hole + ": ", "nosuch.invalid:8020: ", "hint: check that HDFS runs"}},
		"archive verify":             {[]string{"archive", "verify", "hdfs://" + hole + "/logs", "--wait", waitForOne}, []string{hole + ": no answer in time"}},
		"audit, archive":             {[]string{"audit", "--table", "hbase://" + dead + "/t", "--archive", "hdfs://" + dead + "/logs", "--wait", waitForOne}, []string{"archive hdfs:/logs", dead}},
		"run --once":                 {[]string{"run", "--once", log, "--table", "hbase://" + dead + "/t", "--wait", waitForOne}, []string{dead}},
		"run --from-archive":         {[]string{"run", "--from-archive", "hdfs://" + dead + "/logs", "--wait", waitForOne}, []string{dead}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && slices.Contains(c.args, waitForAll) {
				t.Skip("left out by -short: it waits for servers that do not answer")
			}
			cmd := command(t, append([]string{"--data", t.TempDir()}, c.args...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("%v, want exit status 1", err)
			}
			last := stderr.String()
			if at := strings.LastIndex(last, "sluice: "); at >= 0 {
				last = last[at:]
			}
			for _, want := range append(c.want, "gave up after", "\nhint: ", "--wait") {
				if !strings.Contains(last, want) {
					t.Errorf("it lacks %q:\n%s", want, last)
				}
			}
		})
	}
}

// TestAnInterruptEndsTheWaitForACluster checks that Ctrl-C ends commands, also those that wait
// without a limit.
func TestAnInterruptEndsTheWaitForACluster(t *testing.T) {
	hole, mute, empty := blackhole(t), peerOf(t, silent), peerOf(t, zooKeeperWithoutHBase)
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"scan, blackhole":    {"scan", "--table", "hbase://" + hole + "/t"},
		"scan, silent":       {"scan", "--table", "hbase://" + mute + "/t"},
		"scan, no master":    {"scan", "--table", "hbase://" + empty + "/t"},
		"scan, masters":      {"scan", "--table", "hbase+rpc://" + hole + "," + mute + "/t"},
		"schema apply":       {"schema", "apply", "--table", "hbase+rpc://" + mute + "/t"},
		"collector":          {"collector", "--listen", "127.0.0.1:0", "--table", "hbase://" + hole + "/t"},
		"run that follows":   {"run", "--no-nice", log, "--table", "hbase+rpc://" + hole + "/t"},
		"run, archive":       {"run", "--no-nice", log, "--archive", "hdfs://" + mute + "/logs"},
		"run --once":         {"run", "--once", log, "--table", "hbase://" + mute + "/t"},
		"run --once archive": {"run", "--once", log, "--archive", "hdfs://" + hole + "/logs"},
		"archive ls":         {"archive", "ls", "hdfs://" + hole + "/logs"},
		"archive cat":        {"archive", "cat", "hdfs://" + mute + "/logs"},
		"doctor":             {"doctor", "--table", "hbase://" + hole + "/t", "--archive", "hdfs://" + mute + "/logs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, append([]string{"--data", t.TempDir(), "--wait", "0"}, args...)...)
			var output bytes.Buffer
			cmd.Stdout, cmd.Stderr = &output, &output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			awaitConnection(t, cmd)
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-ended:
			case <-time.After(5 * time.Minute):
				_ = cmd.Process.Kill()
				t.Errorf("the process continues after an interrupt:\n%s", <-ended)
			}
			if state := cmd.ProcessState; state == nil || !state.Exited() {
				t.Errorf("it was killed by the signal: %v\n%s", state, &output)
			}
		})
	}
}

// awaitConnection waits until a process has or opens a connection to another process. It handles
// interrupts by then.
func awaitConnection(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for {
		table, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		connected := map[string]bool{}
		for line := range strings.Lines(string(table)) {
			const established, synSent = "01", "02"
			if f := strings.Fields(line); len(f) > 9 && (f[3] == established || f[3] == synSent) {
				connected["socket:["+f[9]+"]"] = true
			}
		}
		open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range open {
			if target, err := os.Readlink(path); err == nil && connected[target] {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it has no connection")
		}
	}
}
