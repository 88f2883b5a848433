package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hamba/avro/v2/ocf"
	"golang.org/x/sys/unix"
)

// logLine returns line n in the common log format.
func logLine(n int) string {
	return fmt.Sprintf("192.0.2.1 - - [17/May/2015:10:00:00 +0000] \"GET /%06d HTTP/1.1\" 200 1\n", n)
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startWriting starts sluice with a file as its standard output.
func startWriting(t *testing.T, stdout *os.File, args ...string) *follower {
	t.Helper()
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	c := &follower{command(t, args...), stderr.Name()}
	c.Stdout, c.Stderr = stdout, stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// parseFollow starts parse --follow of a log and closes this process's copy of its output.
func parseFollow(t *testing.T, stdout *os.File, args ...string) *follower {
	t.Helper()
	defer stdout.Close()
	return startWriting(t, stdout, append([]string{"--quiet", "parse", "--host", "web01", "--follow", "--latency", "20ms"}, args...)...)
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if err := r.SetReadDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return r, w
}

// TestFollowedRecordsAreSeenAtOnceInEveryOutput reads each record before it writes the next line.
func TestFollowedRecordsAreSeenAtOnceInEveryOutput(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"json", "avrojson", "csv", "tsv", "table", "raw"} {
		t.Run(output, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "access.log")
			appendTo(t, log, "") // a source that matches nothing at the start is a warning
			r, w := pipe(t)
			c := parseFollow(t, w, "--output", output, log)
			lines := bufio.NewScanner(r)
			for n := range 3 {
				appendTo(t, log, logLine(n))
				for lines.Scan() && !strings.Contains(lines.Text(), fmt.Sprintf("/%06d", n)) {
				}
				if err := lines.Err(); err != nil {
					t.Fatalf("record %d: %v\n%s", n, err, c.output(t))
				}
			}
			if err := c.end(t); err != nil || c.output(t) != "" || lines.Scan() {
				t.Errorf("%v; it printed %q; then %q", err, c.output(t), lines.Text())
			}
		})
	}
}

// TestAFollowedAvroFileIsWholeAfterEachBurst checks that a reader receives each record at once, and
// that the file is valid when following ends.
func TestAFollowedAvroFileIsWholeAfterEachBurst(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	r, w := pipe(t)
	c := parseFollow(t, w, "--output", "avro", "--format", "common", log)
	file, err := ocf.NewDecoder(r)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		appendTo(t, log, logLine(n))
		var record map[string]any
		if !file.HasNext() {
			t.Fatalf("record %d: %v", n, file.Error())
		}
		if err := file.Decode(&record); err != nil || string(record["logbody"].([]byte))+"\n" != logLine(n) {
			t.Fatalf("record %d: %v, %v", n, record, err)
		}
	}
	if err := c.end(t); err != nil || file.HasNext() || file.Error() != nil {
		t.Errorf("it ends with %v, the file with %v\n%s", err, file.Error(), c.output(t))
	}
}

// TestAnOutputWithoutAReaderEndsFollowingQuietly checks that following ends without an error when
// the reader closes the output, even if no line is written.
func TestAnOutputWithoutAReaderEndsFollowingQuietly(t *testing.T) {
	ended := func(t *testing.T, c *follower) {
		t.Helper()
		if err := c.Wait(); err != nil || c.output(t) != "" {
			t.Errorf("%v; it printed %q", err, c.output(t))
		}
	}
	t.Run("after the first record", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "access.log")
		appendTo(t, log, logLine(1))
		r, w := pipe(t)
		c := parseFollow(t, w, log)
		if _, err := r.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		r.Close()
		ended(t, c)
	})
	t.Run("before any line is there", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "access.log")
		appendTo(t, log, "")
		r, w := pipe(t)
		c := parseFollow(t, w, log)
		r.Close()
		ended(t, c)
	})
	t.Run("while the pipe is full", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "access.log")
		appendTo(t, log, strings.Repeat(logLine(1), 10000))
		r, w := pipe(t)
		c := parseFollow(t, w, log)
		if _, err := r.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		r.Close()
		ended(t, c)
	})
	t.Run("a socket", func(t *testing.T) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		log := filepath.Join(t.TempDir(), "access.log")
		appendTo(t, log, "")
		c := parseFollow(t, os.NewFile(uintptr(fds[0]), "ours"), log)
		unix.Close(fds[1])
		ended(t, c)
	})
	t.Run("without following", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "access.log")
		appendTo(t, log, strings.Repeat(logLine(1), 100000))
		r, w := pipe(t)
		defer w.Close()
		c := startWriting(t, w, "parse", log)
		if _, err := r.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		r.Close()
		ended(t, c)
	})
}

// TestABrokenConnectionIsNotAClosedOutput checks that EPIPE of a network connection or another file
// is an error.
func TestABrokenConnectionIsNotAClosedOutput(t *testing.T) {
	a := &app{stdout: os.Stdout}
	network := &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
	other := &os.PathError{Op: "write", Path: "/var/spool/x", Err: syscall.EPIPE}
	ours := &os.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.EPIPE}
	if a.outputClosed(network) || a.outputClosed(other) || a.outputClosed(io.ErrClosedPipe) || !a.outputClosed(fmt.Errorf("print: %w", ours)) {
		t.Error("a broken connection is taken for an output without a reader, or the reverse")
	}
}

// TestFollowingEndsThoughItsOutputIsNotRead stops a process whose output pipe remains full.
func TestFollowingEndsThoughItsOutputIsNotRead(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, strings.Repeat(logLine(1), 10000))
	r, w := pipe(t)
	c := parseFollow(t, w, log)
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := c.end(t); err == nil || !strings.Contains(c.output(t), "standard output took nothing") {
		t.Errorf("%v; it printed %q", err, c.output(t))
	}
}

// TestAKilledParseWithACheckpointLosesNoLine kills parse with SIGKILL. Lines that were printed in
// the last second before that may be printed again; after a normal stop none may be.
func TestAKilledParseWithACheckpointLosesNoLine(t *testing.T) {
	notShort(t, "it kills processes again and again")
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	log, out := filepath.Join(dir, "access.log"), filepath.Join(dir, "out")
	args := []string{"--output", "raw", "--checkpoint", filepath.Join(dir, "seen"), log + "*"}
	began := func() *follower {
		f, err := os.OpenFile(out, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return parseFollow(t, f, args...)
	}
	printed := func() []byte {
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var lines int
	write := func() {
		for n := 1 + random.IntN(2000); n > 0; {
			var text strings.Builder // several lines in one write, as Apache does under load
			for range min(n, 1+random.IntN(20)) {
				text.WriteString(logLine(lines))
				lines++
				n--
			}
			appendTo(t, log, text.String())
		}
	}
	// missing returns the number of the first line that was not printed. -1: none. The order of the
	// two logs in the output does not matter.
	missing := func() int {
		seen := map[string]bool{}
		for line := range bytes.Lines(printed()) {
			// The line may follow one that a kill cut.
			seen[string(line[max(0, bytes.LastIndex(line, []byte("192.0.2.1"))):])] = true
		}
		for n := range lines {
			if !seen[logLine(n)] {
				return n
			}
		}
		return -1
	}
	for i := range 6 {
		c := began()
		write()
		if i%3 == 1 {
			if err := os.Rename(log, fmt.Sprintf("%s.%d", log, i)); err != nil {
				t.Fatal(err)
			}
		}
		write()
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(1500*time.Millisecond))), func() { c.Process.Kill() })
		if err := c.Wait(); c.ProcessState.Exited() {
			t.Fatalf("it ended before it was killed: %v\n%s", err, c.output(t))
		}
		timer.Stop()
	}
	c := began()
	write() // when these lines are printed, the process has started
	c.await(t, func() bool { return missing() < 0 })
	if err := c.end(t); err != nil {
		t.Fatalf("%v\n%s", err, c.output(t))
	}

	size := len(printed())
	c = began()
	appendTo(t, log, logLine(lines))
	c.await(t, func() bool { return bytes.HasSuffix(printed(), []byte(logLine(lines))) })
	if err := c.end(t); err != nil {
		t.Fatalf("%v\n%s", err, c.output(t))
	}
	if got := string(printed()[size:]); got != logLine(lines) {
		t.Errorf("after a clean end %d bytes were printed, not the new line alone", len(got))
	}
}
