package soak

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Program is sluice with one data folder: it is run again and again, and killed in
// between. One run at a time.
type Program struct {
	Binary, Data string
	// Excuse reports whether it may have ended with an error by itself since then;
	// nil: it may not.
	Excuse func(since time.Time) bool
	// Told gets what it says on standard error; nil: nobody.
	Told func(line string)

	runs, kills, gaveUp, pid atomic.Int64
	peakRSSBytes             int64 // as far as watch saw it
}

// command is a run of the program, killed when ctx ends.
func (p *Program) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, p.Binary, append([]string{"--data", p.Data, "-q"}, args...)...)
}

// restartPause is how soon an init system starts again what gave up.
const restartPause = time.Second

// live runs it: to its end, or until life has passed (0 is never) and it is killed
// with SIGKILL. done: it has ended well.
func (p *Program) live(ctx context.Context, life time.Duration, args ...string) (done bool, err error) {
	alive, cancel := ctx, context.CancelFunc(func() {})
	if life > 0 {
		alive, cancel = context.WithTimeout(ctx, life)
	}
	defer cancel()
	return p.end(ctx, alive, p.command(alive, args...))
}

// stopped runs it until stop is closed, and tells it to stop; then it must end well.
func (p *Program) stopped(ctx context.Context, stop <-chan struct{}, args ...string) (done bool, err error) {
	told, tell := context.WithCancel(ctx)
	defer tell()
	cmd := p.command(told, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	go func() {
		defer tell()
		select {
		case <-stop:
		case <-told.Done():
		}
	}()
	return p.end(ctx, ctx, cmd)
}

// end runs cmd and says how that ended; alive ends when it is killed.
func (p *Program) end(ctx, alive context.Context, cmd *exec.Cmd) (done bool, err error) {
	began := time.Now()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if p.Told != nil {
		cmd.Stderr = lines{told: p.Told, kept: &stderr}
	}
	if err = cmd.Start(); err == nil {
		p.pid.Store(int64(cmd.Process.Pid))
		err = cmd.Wait()
		p.pid.Store(0)
	}
	p.runs.Add(1)
	switch {
	case err == nil || cmd.ProcessState != nil && cmd.ProcessState.Success():
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case alive.Err() != nil:
		p.kills.Add(1)
		return false, nil
	case p.Excuse != nil && p.Excuse(began):
		p.gaveUp.Add(1)
		wait(ctx, restartPause)
		return false, nil
	}
	return false, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, stderr.String())
}

// lines tells what is written: a write is a line or some, as loggers do it.
type lines struct {
	told func(string)
	kept *bytes.Buffer
}

func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		l.told(strings.TrimSpace(line))
	}
	return l.kept.Write(p)
}

// watch looks at the memory of the run under way. What wait4 says of it would not do:
// it counts what the process had between fork and exec, which is ours.
func (p *Program) watch() {
	if pid := p.pid.Load(); pid != 0 {
		p.peakRSSBytes = max(p.peakRSSBytes, peakRSSBytes(strconv.FormatInt(pid, 10)))
	}
}
