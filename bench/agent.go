package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"sluice/bench/peers"
	"sluice/bench/trace"
	"sluice/health"
)

// Command makes a process of this program with these arguments.
type Command func(ctx context.Context, args ...string) *exec.Cmd

// runner is `sluice run` following logs, as an operator starts it.
type runner struct {
	data, trace string
	cmd         *exec.Cmd
	out, errs   bytes.Buffer
	ended       chan error
}

const (
	runnerPoll   = 100 * time.Millisecond
	runnerStarts = 30 * time.Second
	// runnerStalls is how long it may take no line while some are left.
	runnerStalls = time.Minute
)

// startRunner follows LOGS/*.log; what it stores is below home. It returns when
// the first status is written.
func startRunner(ctx context.Context, command Command, logs, home string) (*runner, error) {
	r := &runner{data: filepath.Join(home, "data"), trace: filepath.Join(home, "trace.csv"), ended: make(chan error, 1)}
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

// taken is how many lines are in table and archive, by the status.
func (r *runner) taken() (int64, error) {
	s, err := health.Read(filepath.Join(r.data, "status.json"))
	return s.Lines, err
}

// drain waits until so many lines were taken, or no more come.
func (r *runner) drain(ctx context.Context, lines int64) (n int64, err error) {
	tick := time.NewTicker(runnerPoll)
	defer tick.Stop()
	last, since := int64(-1), time.Now()
	for {
		if n, err = r.taken(); err != nil && !errors.Is(err, os.ErrNotExist) || n >= lines {
			return n, err
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > runnerStalls {
			return n, nil
		}
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-tick.C:
		}
	}
}

// steps are what its governor decided.
func (r *runner) steps() ([]trace.Step, error) {
	f, err := os.Open(r.trace)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return trace.Read(f)
}

// stop ends it as an operator would.
func (r *runner) stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := <-r.ended; err != nil {
		return fmt.Errorf("sluice run: %w: %s", err, bytes.TrimSpace(r.errs.Bytes()))
	}
	return nil
}
