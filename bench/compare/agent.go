package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"sluice/bench/peers"
	"sluice/bench/trace"
	"sluice/monitor"
)

// Command returns a command that runs sluice with these arguments.
type Command func(ctx context.Context, args ...string) *exec.Cmd

// runner is a running `sluice run` that follows logs, with an operator's usual settings.
type runner struct {
	data, trace string
	command     Command
	cmd         *exec.Cmd
	out, errs   bytes.Buffer
	ended       chan error
}

const (
	runnerPoll   = 100 * time.Millisecond
	runnerStarts = 30 * time.Second
	// runnerStalls is the time without a new line after which waiting fails.
	runnerStalls = time.Minute
)

// startRunner follows LOGS/*.log and stores below home. It returns when the first status file is
// written.
func startRunner(ctx context.Context, command Command, logs, home string) (*runner, error) {
	r := &runner{data: filepath.Join(home, "data"), trace: filepath.Join(home, "trace.csv"), command: command, ended: make(chan error, 1)}
	r.cmd = command(ctx, "run", "--quiet", "--data", r.data, "--host", "bench", "--format", "combined", "--trace", r.trace, filepath.Join(logs, "*.log"))
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.errs
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { r.ended <- r.cmd.Wait() }()
	tick := time.NewTicker(runnerPoll)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < runnerStarts; {
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), r.stop())
		case err := <-r.ended:
			return nil, fmt.Errorf("sluice run ended: %w: %s", err, bytes.TrimSpace(r.errs.Bytes()))
		case <-tick.C:
			if _, err := r.taken(); err == nil {
				return r, nil
			}
		}
	}
	return nil, errors.Join(fmt.Errorf("sluice run wrote no status within %s", runnerStarts), r.stop())
}

func (r *runner) cpu() (time.Duration, error) { return peers.CPU(r.cmd.Process.Pid) }

// taken returns the number of lines in its status file.
func (r *runner) taken() (int64, error) {
	s, err := monitor.Read(filepath.Join(r.data, "status.json"))
	return s.Lines, err
}

// awaitLines calls taken at the interval poll until it returns lines, or until it has not increased
// for the time stalls.
func awaitLines(ctx context.Context, lines int64, poll, stalls time.Duration, taken func() (int64, error)) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	last, since := int64(-1), time.Now()
	for {
		n, err := taken()
		if err != nil || n >= lines {
			return err
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > stalls {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// steps returns the decisions of its governor.
func (r *runner) steps() ([]trace.Step, error) {
	f, err := os.Open(r.trace)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return trace.Read(f)
}

// finish waits for the given number of lines, or until no more come, stops the runner, and returns
// the number of rows in its table.
func (r *runner) finish(ctx context.Context, lines int64) (rows int64, err error) {
	if err := errors.Join(awaitLines(ctx, lines, runnerPoll, runnerStalls, r.taken), r.stop()); err != nil {
		return 0, err
	}
	out, err := r.command(ctx, "scan", "--data", r.data, "--count").Output()
	if err != nil {
		return 0, fmt.Errorf("sluice scan: %w", err)
	}
	return strconv.ParseInt(string(bytes.TrimSpace(out)), 10, 64)
}

// stop stops it with SIGTERM.
func (r *runner) stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := <-r.ended; err != nil {
		return fmt.Errorf("sluice run: %w: %s", err, bytes.TrimSpace(r.errs.Bytes()))
	}
	return nil
}
