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

// program is sluice with one data directory, which is run again and again and killed in between.
// Only one run at a time.
type program struct {
	binary, data string
	// excuse reports whether it may have failed since that time; nil: it may not.
	excuse func(since time.Time) bool
	// output gets each line of standard error; nil: they are dropped.
	output func(line string)

	runs, kills, gaveUp, pid atomic.Int64
	peakRSSBytes             int64 // as sampled by watch
}

// command returns a command that is killed when ctx ends.
func (p *program) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, p.binary, append([]string{"--data", p.data, "-q"}, args...)...)
}

// restartPause is the time after which a failed program is started again, as by an init system.
const restartPause = time.Second

// runFor runs the program until its end, or kills it with SIGKILL after life (0: never). done
// reports that it succeeded.
func (p *program) runFor(ctx context.Context, life time.Duration, args ...string) (done bool, err error) {
	alive, cancel := ctx, context.CancelFunc(func() {})
	if life > 0 {
		alive, cancel = context.WithTimeout(ctx, life)
	}
	defer cancel()
	return p.end(ctx, alive, p.command(alive, args...))
}

// stopped runs it until stop is closed, and stops it; then it must succeed.
func (p *program) stopped(ctx context.Context, stop <-chan struct{}, args ...string) (done bool, err error) {
	texts, tell := context.WithCancel(ctx)
	defer tell()
	cmd := p.command(texts, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	go func() {
		defer tell()
		select {
		case <-stop:
		case <-texts.Done():
		}
	}()
	return p.end(ctx, ctx, cmd)
}

// end runs cmd; alive ends when it is killed. done reports that it succeeded.
func (p *program) end(ctx, alive context.Context, cmd *exec.Cmd) (done bool, err error) {
	began := time.Now()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if p.output != nil {
		cmd.Stderr = lines{texts: p.output, kept: &stderr}
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
	case p.excuse != nil && p.excuse(began):
		p.gaveUp.Add(1)
		wait(ctx, restartPause)
		return false, nil
	}
	return false, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, stderr.String())
}

// lines calls a function for each line; each write has whole lines, as loggers do.
type lines struct {
	texts func(string)
	kept  *bytes.Buffer
}

func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		l.texts(strings.TrimSpace(line))
	}
	return l.kept.Write(p)
}

// watch samples the memory of the running process. The maximum from wait4 cannot be used: it
// includes the memory of this process between fork and exec.
func (p *program) watch() {
	if pid := p.pid.Load(); pid != 0 {
		p.peakRSSBytes = max(p.peakRSSBytes, peakRSSBytes(strconv.FormatInt(pid, 10)))
	}
}
