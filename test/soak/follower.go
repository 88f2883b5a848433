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

// Follower is a load: the program follows a log that grows and is rotated, and is
// killed with SIGKILL at random moments and run again. When it is enough it is told
// to stop, and a run with --once takes what is left.
type Follower struct {
	Program
	Dir string // of the log
	// Flags are those of both runs, with the table and the archive.
	Flags []string
	Host  string
	Seed  uint64

	logs         []hostLog // the last one is written
	lines, count atomic.Int64
}

const (
	// Lines are written in bursts.
	linesPerBurst = 100
	burstPause    = 200 * time.Millisecond
	// linesPerLife is how many a log has when it is rotated.
	linesPerLife = 15_000
	// A follower is killed between these.
	minFollow, maxFollow = time.Second, 15 * time.Second
	// followOn is how long it may work before it is told to stop.
	followOn = 10 * time.Second
)

// Run implements Load.
func (f *Follower) Run(ctx context.Context, enough <-chan struct{}) error {
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
		if done, err = f.live(ctx, 0, f.args("--once")...); err != nil {
			return err
		}
	}
	return nil
}

func (f *Follower) follow(ctx context.Context, enough <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(f.Seed, 6))
	for {
		select {
		case <-enough:
			return nil
		default:
		}
		done, err := f.live(ctx, minFollow+below(rng, maxFollow-minFollow), f.args()...)
		if err == nil && done {
			err = errors.New("the follower ended, and nobody had told it to")
		}
		if err != nil {
			return err
		}
	}
}

func (f *Follower) args(more ...string) []string {
	args := append([]string{"run", "--host", f.Host, "--format", logFormat}, f.Flags...)
	if len(more) == 0 {
		more = []string{"--cpu", "0", "--no-nice", "--roll-interval", "5s", "--roll-idle", "2s"}
	}
	return append(append(args, more...), f.current()+"*")
}

func (f *Follower) current() string { return filepath.Join(f.Dir, "access.log") }

// grow writes the log, and rotates it as logrotate does.
func (f *Follower) grow(ctx context.Context, enough <-chan struct{}) error {
	for i := uint64(0); ; i++ {
		text, err := daysOf(f.Seed<<20+1<<19+i, 3, linesPerLife/3)
		if err != nil {
			return err
		}
		over, err := f.life(ctx, enough, text)
		if err != nil || over {
			f.logs = append(f.logs, hostLog{f.Host, f.current()})
			return err
		}
		rotated := fmt.Sprintf("%s.%d", f.current(), i)
		if err := os.Rename(f.current(), rotated); err != nil {
			return err
		}
		f.logs = append(f.logs, hostLog{f.Host, rotated})
	}
}

// life writes one log in bursts; over: it was enough before its end.
func (f *Follower) life(ctx context.Context, enough <-chan struct{}, text []byte) (over bool, err error) {
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
				break // the end: every line has a newline
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

// daysOf makes a log that crosses so many midnights.
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
