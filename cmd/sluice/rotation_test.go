package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/monitor"
)

// rotations are names that logrotate gives to rotated logs, from its documentation and from common
// settings of extension, dateext, dateformat, olddir and addextension.
var rotations = []string{
	"access.log.1", "access.log-20261128", "access-20261128.log", "access.1.log", "access.log.old", "access.log.bak", "access-2026-W48.log",
	"20261128-access.log", "access.log_mon", "access.log-2026-11-28T14:30", "access.log.2026-11-28-1795874400", "access_20261128.log",
	"old/access.log-20261128", "old/access.log", "access.log~", "yesterdays-requests.log",
}

// rotated is a directory of logs, with the lines that were written to them.
type rotated struct {
	*testing.T
	dir, data string
	written   bytes.Buffer
	n         int
	wroteAt   time.Time
}

func newRotated(t *testing.T) *rotated {
	t.Helper()
	notShort(t, "it runs sluice through rotations; ingest/tail tests them without processes")
	return &rotated{T: t, dir: t.TempDir(), data: t.TempDir()}
}

func (r *rotated) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rotated) path(name string) string { return filepath.Join(r.dir, name) }

// grow appends numbered lines to a log.
func (r *rotated) grow(name string, lines int) {
	r.Helper()
	var b bytes.Buffer
	for range lines {
		fmt.Fprintf(&b, "192.0.2.1 - - [28/Nov/2026:10:%02d:%02d +0000] \"GET /%s/%06d HTTP/1.1\" 200 17 \"-\" \"-\"\n", r.n/60%60, r.n%60, name, r.n)
		r.n++
	}
	r.append(name, b.Bytes())
}

func (r *rotated) append(name string, b []byte) {
	r.Helper()
	r.must(grow(r.path(name), b))
	r.wroteAt = time.Now()
	r.written.Write(b)
}

func (r *rotated) read(name string) []byte {
	r.Helper()
	b, err := os.ReadFile(r.path(name))
	r.must(err)
	return b
}

// compress writes a gzip-compressed copy of a log.
func (r *rotated) compress(from, to string) {
	r.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(r.read(from))
	r.must(err)
	r.must(z.Close())
	r.must(os.WriteFile(r.path(to), b.Bytes(), 0o600))
}

func (r *rotated) copy(from, to string) {
	r.Helper()
	r.must(os.WriteFile(r.path(to), r.read(from), 0o600))
}

// follow starts a run that follows the logs of the patterns.
func (r *rotated) follow(patterns ...string) *follower {
	r.Helper()
	args := []string{"--quiet", "--data", r.data, "run", "--host", "web01", "--cpu", "0", "--latency", "50ms", "--no-nice"}
	for _, p := range patterns {
		args = append(args, r.path(p))
	}
	return start(r.T, args...)
}

// settled waits until everything that was written is read and no log is held back.
func (r *rotated) settled(c *follower) (s monitor.Status) {
	r.Helper()
	c.await(r.T, func() (come bool) {
		var err error
		s, err = monitor.Read(statusPath(r.data))
		return err == nil && s.PID == c.Process.Pid && s.Logs.Files > 0 && s.Logs.UnreadBytes == 0 && len(s.Logs.Held) == 0 && s.Logs.At.After(s.Began) && s.Logs.At.After(r.wroteAt.Add(500*time.Millisecond))
	})
	return s
}

// end stops a run when everything is read.
func (r *rotated) end(c *follower) monitor.Status {
	r.Helper()
	s := r.settled(c)
	if err := c.end(r.T); err != nil {
		r.Fatalf("%v\n%s", err, c.output(r.T))
	}
	return s
}

// exact fails unless table and archive contain every line once and audit finds no difference.
func (r *rotated) exact() {
	r.Helper()
	sameLines(r.T, "archive", archived(r.T, filepath.Join(r.data, "archive")), r.written.Bytes())
	sameLines(r.T, "table", r.sluice(0, "scan", "--output", "raw"), r.written.Bytes())
	r.sluice(0, "audit")
}

// sluice runs a command that must exit with status, and returns its standard output.
func (r *rotated) sluice(status int, args ...string) []byte {
	r.Helper()
	c := command(r.T, append([]string{"--quiet", "--data", r.data}, args...)...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != status {
		r.Errorf("sluice %s: %v, want status %d\n%s%s", strings.Join(args, " "), err, status, stdout.String(), stderr.String())
	}
	return stdout.Bytes()
}

// TestACopyIsRecognizedByItsContent checks that no line of a copy is lost and none is stored twice,
// regardless of the copy's name and time. Each way of rotating has its own directory.
func TestACopyIsRecognizedByItsContent(t *testing.T) {
	patterns := []string{"*/*", "*/old/*"}
	each := func(do func(log, copied string)) {
		for i, name := range rotations {
			do(fmt.Sprintf("%02d/access.log", i), fmt.Sprintf("%02d/%s", i, name))
		}
	}
	for way, do := range map[string]func(r *rotated){
		"compressed while away": func(r *rotated) {
			r.end(r.follow(patterns...))
			each(func(log, copied string) {
				r.grow(log, 7)
				r.compress(log, copied+".gz")
				r.must(os.Remove(r.path(log)))
				r.grow(log, 5)
			})
			r.end(r.follow(patterns...))
		},
		"copied and truncated": func(r *rotated) {
			c := r.follow(patterns...)
			r.settled(c)
			each(func(log, copied string) {
				r.grow(log, 7)
				r.copy(log, copied)
				r.must(os.Truncate(r.path(log), 0))
				r.grow(log, 5)
			})
			r.end(c)
		},
		"copied and truncated while away": func(r *rotated) {
			r.end(r.follow(patterns...))
			each(func(log, copied string) {
				r.grow(log, 7)
				r.copy(log, copied)
				r.must(os.Truncate(r.path(log), 0))
				r.grow(log, 5)
			})
			r.end(r.follow(patterns...))
		},
		"run once a day": func(r *rotated) {
			once := func() {
				args := []string{"run", "--once", "--host", "web01"}
				each(func(log, copied string) {
					args = append(args, r.path(log))
					if _, err := os.Stat(r.path(copied + ".gz")); err == nil {
						args = append(args, r.path(copied+".gz"))
					}
				})
				r.sluice(0, args...)
			}
			once()
			each(func(log, copied string) {
				r.grow(log, 7)
				r.compress(log, copied+".gz")
				r.must(os.Remove(r.path(log)))
				r.grow(log, 5)
			})
			once()
			once()
		},
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := newRotated(t)
			each(func(log, copied string) {
				r.must(os.MkdirAll(filepath.Dir(r.path(copied)), 0o700))
				r.grow(log, 13)
			})
			do(r)
			r.exact()
			r.end(r.follow(patterns...)) // a later run finds nothing new
			r.exact()
		})
	}
}

// TestLogsOfTheSameLinesAreLogsOfTheirOwn writes the same lines to several logs, as a health check
// does that requests every virtual host in the same second. The logs are rotated and deleted, and
// no line may be omitted.
func TestLogsOfTheSameLinesAreLogsOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	c := r.follow("access_log*")
	logs := []string{"access_log.80", "access_log.443", "access_log.8080", "access_log_1", "access_log_2"}
	for generation := range 3 {
		for second := range 10 {
			for _, name := range logs {
				r.append(name, fmt.Appendf(nil, "127.0.0.1 - - [28/Nov/2026:1%d:00:%02d +0000] \"GET /health HTTP/1.1\" 200 2 \"-\" \"check\"\n", generation, second))
			}
		}
		r.settled(c)
		for _, name := range logs {
			r.must(os.Rename(r.path(name), r.path(name+".1")))
			r.must(os.Remove(r.path(name + ".1")))
		}
	}
	s := r.end(c)
	r.exact()
	if s.LostBytes != 0 || len(s.Logs.Copies) != 0 {
		t.Errorf("%d bytes lost, copies %v", s.LostBytes, s.Logs.Copies)
	}
}

// TestLogsThatBeginAlikeAreNotTakenForOne compresses logs that begin with the same lines while no
// process follows them. Reading each must continue in its own copy, which is identified by its
// name.
func TestLogsThatBeginAlikeAreNotTakenForOne(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	logs := []string{"access_log.80", "access_log.443", "shop.log", "blog.log"}
	for second := range 8 {
		for _, name := range logs {
			r.append(name, fmt.Appendf(nil, "127.0.0.1 - - [28/Nov/2026:10:00:%02d +0000] \"GET /health HTTP/1.1\" 200 2 \"-\" \"check\"\n", second))
		}
	}
	r.end(r.follow("*"))
	for _, name := range logs {
		r.grow(name, 7)
	}
	for _, name := range logs[:3] { // the last log stays and is not a copy
		r.compress(name, name+"-20261128.gz")
		r.must(os.Remove(r.path(name)))
	}
	r.end(r.follow("*"))
	r.exact()
}

// TestASymbolicLinkIsSwitchedWhileStopped changes the target of a symbolic link while no process
// runs. The previous log must be read to its end, in whichever directory it is.
func TestASymbolicLinkIsSwitchedWhileStopped(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	for _, dir := range []string{"", "days/"} {
		if dir != "" {
			r.must(os.Mkdir(r.path(dir), 0o700))
		}
		link := strings.Trim(dir, "/") + "current.log"
		for day := range 3 {
			name := fmt.Sprintf("%srequests-2026112%d.txt", dir, day)
			r.grow(name, 13)
			if day > 0 {
				r.must(os.Remove(r.path(link)))
			}
			r.must(os.Symlink(name, r.path(link)))
			r.end(r.follow("*.log"))
			r.grow(name, 7)
		}
	}
	r.end(r.follow("*.log"))
	r.exact()
}

// TestALogDeletedUnreadIsAnErrorUntilItIsAcknowledged also checks that deleting a log that was
// read to its end is not an error.
func TestALogDeletedUnreadIsAnErrorUntilItIsAcknowledged(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	for _, name := range []string{"access.log", "read.log", "quiet.log"} {
		r.grow(name, 13)
	}
	c := r.follow("*.log")
	r.settled(c)
	r.must(os.Rename(r.path("read.log"), r.path("read.log.1")))
	r.grow("read.log", 3)
	r.settled(c)
	r.must(os.Remove(r.path("quiet.log"))) // read, and deleted while it is followed
	if s := r.end(c); s.LostFiles != 0 {
		t.Errorf("%d logs are lost: %v", s.LostFiles, s.Logs.Losses)
	}
	r.exact()

	r.must(os.Remove(r.path("read.log.1"))) // as its rotation does, after it was read
	r.grow("access.log", 7)
	r.written.Truncate(r.written.Len() - 7*len(r.read("access.log"))/20) // these lines are lost
	r.must(os.Remove(r.path("access.log")))
	r.grow("access.log", 5)
	for range 2 { // the error remains after a restart
		c = r.follow("*.log")
		s := r.settled(c)
		if s.LostFiles != 1 || len(s.Logs.Losses) != 1 || !s.Logs.Losses[0].Unknown || s.Logs.Losses[0].Path != r.path("access.log") || s.Logs.Losses[0].From == 0 {
			t.Errorf("%d logs are lost: %+v\n%s", s.LostFiles, s.Logs.Losses, c.output(t))
		}
		if s.Health.Well() || !strings.Contains(strings.Join(s.Health.Metrics["web01"].Reasons, "\n"), "no copy of it was found") {
			t.Errorf("health: %+v", s.Health)
		}
		if output := string(r.sluice(1, "status")); !strings.Contains(output, "LOST: 0 bytes in 1 logs") || !strings.Contains(output, "access.log was replaced or deleted") {
			t.Errorf("status printed %s", output)
		}
		r.end(c)
		if output := string(r.sluice(1, "audit")); !strings.Contains(output, "LOST: "+r.path("access.log")) {
			t.Errorf("audit printed %s", output)
		}
	}
	c = r.follow("*.log")
	r.settled(c)
	if output := string(r.sluice(0, "ack", "--lost")); !strings.Contains(output, "acknowledged=1") {
		t.Errorf("ack printed %s", output)
	}
	c.await(t, func() bool {
		s, err := monitor.Read(statusPath(r.data))
		return err == nil && s.LostFiles == 0 && s.Health.Well()
	})
	r.end(c)
	r.exact()
	if s := r.end(r.follow("*.log")); s.LostFiles != 0 {
		t.Errorf("after a restart %d logs are lost", s.LostFiles)
	}
}

// TestPathsAreBytes checks that a name that is not UTF-8 remains the same after a restart, in the
// archive and in the output of commands.
func TestPathsAreBytes(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	const name = "caf\xe9_access.log"
	r.grow(name, 13)
	r.end(r.follow("*.log"))
	r.grow(name, 7)
	r.compress(name, name+".1.gz")
	r.must(os.Remove(r.path(name)))
	r.grow(name, 5)
	r.end(r.follow("*.log"))
	r.exact()
	for _, output := range [][]byte{r.sluice(0, "archive", "ls", "--ranges"), r.sluice(0, "scan", "--fields", "file", "--output", "tsv")} {
		if !bytes.Contains(output, []byte(name)) && !bytes.Contains(output, []byte(`caf\xe9_access.log`)) {
			t.Errorf("it has another name: %q", output)
		}
	}
	sameLines(t, "archive", r.sluice(0, "archive", "cat"), r.written.Bytes())
	c := r.follow("*.log")
	r.append(name, []byte("half a li"))
	c.await(t, func() bool {
		s, err := monitor.Read(statusPath(r.data))
		return err == nil && len(s.Logs.Behind) == 1 && s.Logs.Behind[0].Path == r.path(`caf\xe9_access.log`)
	})
	r.must(c.end(t))
}
