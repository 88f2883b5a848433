package soak

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/bench/sample"
)

// follower is a load: the program follows a log that grows and is rotated, and is killed with
// SIGKILL at random times and run again. When enough is closed it is stopped, and a run with --once
// stores the rest.
type follower struct {
	program
	dir string // directory of the log
	// flags are the flags of both runs, with the table and the archive.
	flags []string
	host  string
	seed  uint64

	logs         []hostLog // the last one is being written
	lines, count atomic.Int64
}

const (
	// linesPerBurst is the number of lines of one write.
	linesPerBurst = 100
	burstPause    = 200 * time.Millisecond
	// linesPerFollowed is the number of lines after which a log is rotated.
	linesPerFollowed = 15_000
	// A follower is killed after a time between these.
	minFollow, maxFollow = time.Second, 15 * time.Second
	// followOn is how long it runs before it is stopped.
	followOn = 10 * time.Second
)

// Run implements load.
func (f *follower) Run(ctx context.Context, enough <-chan struct{}) error {
	g, both := errgroup.WithContext(ctx)
	g.Go(func() error { return f.grow(both, enough) })
	g.Go(func() error { return f.follow(both, enough) })
	err := g.Wait()
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	late := time.AfterFunc(followOn, func() { close(stop) })
	defer late.Stop()
	for done := false; !done; {
		if done, err = f.stopped(ctx, stop, f.args()...); err != nil {
			return err
		}
	}
	for done := false; !done; {
		if done, err = f.runFor(ctx, 0, f.args("--once")...); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) follow(ctx context.Context, enough <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(f.seed, 6))
	for {
		select {
		case <-enough:
			return nil
		default:
		}
		done, err := f.runFor(ctx, minFollow+below(rng, maxFollow-minFollow), f.args()...)
		if err == nil && done {
			err = errors.New("the follower ended without being stopped")
		}
		if err != nil {
			return err
		}
	}
}

func (f *follower) args(more ...string) []string {
	args := append([]string{"run", "--host", f.host, "--format", logFormat}, f.flags...)
	if len(more) == 0 {
		more = []string{"--cpu", "0", "--no-nice", "--roll-interval", "5s", "--roll-idle", "2s"}
	}
	return append(append(args, more...), f.current()+"*")
}

func (f *follower) current() string { return filepath.Join(f.dir, "access.log") }

// grow writes the log, and rotates it like logrotate.
func (f *follower) grow(ctx context.Context, enough <-chan struct{}) error {
	for i := uint64(0); ; i++ {
		text, err := daysOf(f.seed<<20+1<<19+i, 3, linesPerFollowed/3)
		if err != nil {
			return err
		}
		over, err := f.writeLog(ctx, enough, text)
		if err != nil || over {
			f.logs = append(f.logs, hostLog{f.host, f.current()})
			return err
		}
		rotated := fmt.Sprintf("%s.%d", f.current(), i)
		if err := os.Rename(f.current(), rotated); err != nil {
			return err
		}
		f.logs = append(f.logs, hostLog{f.host, rotated})
	}
}

// writeLog writes one log in bursts. over reports that enough was closed before its end.
func (f *follower) writeLog(ctx context.Context, enough <-chan struct{}, text []byte) (over bool, err error) {
	f.count.Add(1)
	file, err := os.OpenFile(f.current(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return true, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	in := bufio.NewReader(bytes.NewReader(text))
	for {
		var burst []byte
		for range linesPerBurst {
			line, err := in.ReadBytes('\n')
			if err != nil {
				break // at the end; every line has a newline
			}
			burst = append(burst, line...)
			f.lines.Add(1)
		}
		if _, err := file.Write(burst); err != nil || len(burst) == 0 {
			return false, err
		}
		select {
		case <-enough:
			return true, nil
		case <-ctx.Done():
			return true, ctx.Err()
		default:
			wait(ctx, burstPause)
		}
	}
}

// daysOf generates a log of several days.
func daysOf(seed uint64, days, linesPerDay int) ([]byte, error) {
	const linesPerSecond = 20
	var text bytes.Buffer
	for day := range days {
		s := sample.New(seed<<8+uint64(day), linesPerDay)
		s.LinesPerSecond = linesPerSecond
		half := time.Duration(linesPerDay/linesPerSecond/2) * time.Second
		s.Start = time.Date(2026, time.September, 3+day, 0, 0, 0, 0, time.UTC).Add(-half)
		if _, err := s.WriteTo(&text); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}
