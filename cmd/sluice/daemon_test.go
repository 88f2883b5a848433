package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/monitor"
)

// daemons returns the arguments of the commands that run until they are stopped, by name. They use
// a log and data directories in dir.
func daemons(t *testing.T, dir string) map[string][]string {
	t.Helper()
	data := func(name string) []string { return []string{"-v", "--data", filepath.Join(dir, name)} }
	log := filepath.Join(dir, "access.log")
	return map[string][]string{
		"run":       append(data("run"), "run", "--host", "web01", "--no-nice", "--cpu", "0", "--latency", "20ms", log),
		"agent":     append(data("agent"), "agent", "--host", "web01", "--no-nice", "--cpu", "0", "--drain", "1s", "--collector", "127.0.0.1:1", log),
		"collector": append(data("collector"), "collector", "--listen", freeAddress(t)),
	}
}

// isUp waits until the process has written a recent status file.
func isUp(t *testing.T, c *follower, dir, name string) {
	t.Helper()
	c.await(t, func() bool {
		s, err := monitor.Read(statusPath(filepath.Join(dir, name)))
		return err == nil && s.PID == c.Process.Pid && time.Since(s.At) < time.Minute
	})
}

// TestADaemonContinuesWithoutTheReadersOfItsOutput checks that a long-running command continues to
// work if its output is a pipe without a reader or a full pipe.
func TestADaemonContinuesWithoutTheReadersOfItsOutput(t *testing.T) {
	notShort(t, "it starts nine daemons")
	t.Parallel()
	for _, name := range []string{"run", "agent", "collector"} {
		for _, how := range []string{"closed", "full"} {
			t.Run(name+" "+how, func(t *testing.T) {
				dir := t.TempDir()
				log := filepath.Join(dir, "access.log")
				appendTo(t, log, logLine(0))
				r, w := pipe(t)
				c := &follower{command(t, daemons(t, dir)[name]...), os.DevNull}
				c.Stdout, c.Stderr = w, w
				if how == "full" {
					fill(t, w)
				}
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				w.Close()
				if how == "closed" {
					r.Close()
				}
				isUp(t, c, dir, name)
				for range 3 { // each one is logged
					if err := c.Process.Signal(syscall.SIGHUP); err != nil {
						t.Fatal(err)
					}
				}
				if name == "run" {
					appendTo(t, log, logLine(1))
					c.await(t, func() bool {
						s, err := monitor.Read(statusPath(filepath.Join(dir, name)))
						return err == nil && s.Lines == 2
					})
				}
				began := time.Now()
				if err := c.end(t); err != nil {
					t.Errorf("it ended with %v", err)
				}
				t.Logf("it ended %s after SIGTERM", time.Since(began).Round(time.Millisecond))
			})
		}
	}
}

// fill fills a pipe, so that the next write to it blocks.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	fd := int(w.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{64 << 10, 4096, 1} {
		for {
			if _, err := unix.Write(fd, make([]byte, size)); errors.Is(err, unix.EAGAIN) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// TestLoggingContinuesWhenItsPipeIsReadAgain checks that messages are written again after the pipe
// of the log was full.
func TestLoggingContinuesWhenItsPipeIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	appendTo(t, filepath.Join(dir, "access.log"), logLine(0))
	r, w := pipe(t)
	c := &follower{command(t, daemons(t, dir)["run"]...), os.DevNull}
	c.Stderr = w
	fill(t, w)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	isUp(t, c, dir, "run")
	if err := c.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	output := make(chan string, 1)
	go func() {
		defer close(output)
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "SIGHUP ignored") {
				output <- lines.Text()
				for lines.Scan() { // discard the rest
				}
				return
			}
		}
	}()
	if text := <-output; text == "" {
		t.Error("no message after the pipe was read again")
	}
	if err := c.end(t); err != nil {
		t.Error(err)
	}
}

// TestSIGHUPDoesNotEndADaemon checks that long-running commands log and ignore SIGHUP, and that it
// ends any other command.
func TestSIGHUPDoesNotEndADaemon(t *testing.T) {
	for _, name := range []string{"run", "agent", "collector"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			appendTo(t, filepath.Join(dir, "access.log"), logLine(0))
			c := start(t, daemons(t, dir)[name]...)
			isUp(t, c, dir, name)
			if err := c.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			c.await(t, func() bool { return strings.Contains(c.output(t), "SIGHUP ignored") })
			if err := c.end(t); err != nil {
				t.Errorf("%v\n%s", err, c.output(t))
			}
		})
	}
	t.Run("parse", func(t *testing.T) {
		// Under nohup the command would inherit that SIGHUP is ignored. A signal that is caught
		// here has its default action there.
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, syscall.SIGHUP)
		defer signal.Stop(caught)
		log := filepath.Join(t.TempDir(), "access.log")
		appendTo(t, log, logLine(0))
		r, w := pipe(t)
		c := parseFollow(t, w, log)
		if _, err := r.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if err := c.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); fmt.Sprint(err) != "signal: hangup" {
			t.Errorf("it ended with %v", err)
		}
	})
}
