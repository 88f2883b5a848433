package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sluice/bench/sample"
	"sluice/hbase"
	"sluice/hbase/embedded"
	"sluice/schema"
)

// Command is a load: the program itself takes one log file after the other to a
// table, is killed with SIGKILL at random moments, and run again until it has
// ended well.
type Command struct {
	Binary, Dir string
	Table       hbase.URL
	URL         string // Table as a user types it
	Options     hbase.Options
	Layout      string // its name
	Seed        uint64

	logs             []string
	lines            int64
	runs, kills, pid atomic.Int64
	peakRSSBytes     int64 // as far as watch saw it
}

const (
	linesPerFile = 20_000
	// maxLife is when it is killed at the latest, if it is: before most runs end.
	maxLife = 4 * time.Second
)

// sluice is a run of the program, killed when ctx ends.
func (c *Command) sluice(ctx context.Context, data string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, c.Binary, append([]string{"--data", filepath.Join(c.Dir, data), "-q"}, args...)...)
}

// Run implements Load.
func (c *Command) Run(ctx context.Context, enough <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(c.Seed, 5))
	for i := uint64(0); ; i++ {
		path := filepath.Join(c.Dir, fmt.Sprintf("access%03d.log", i))
		var text bytes.Buffer
		if err := sample.Write(&text, c.Seed<<20+i, linesPerFile); err != nil {
			return err
		}
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			return err
		}
		c.logs = append(c.logs, path)
		c.lines += int64(bytes.Count(text.Bytes(), []byte("\n")))
		for done := false; !done; {
			var err error
			if done, err = c.once(ctx, path, rng, enough); err != nil {
				return err
			}
		}
		select {
		case <-enough:
			return nil
		default:
		}
	}
}

// once runs the program; in every second case, as long as it is not enough, with a
// life that is drawn.
func (c *Command) once(ctx context.Context, path string, rng *rand.Rand, enough <-chan struct{}) (done bool, err error) {
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	if rng.IntN(2) == 0 {
		select {
		case <-enough:
		default:
			life, cancel = context.WithTimeout(ctx, below(rng, maxLife))
			defer cancel()
		}
	}
	cmd := c.sluice(life, "data", "run", "--once", "--host", "web01", "--layout", c.Layout, "--table", c.URL, path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err = cmd.Start(); err == nil {
		c.pid.Store(int64(cmd.Process.Pid))
		err = cmd.Wait()
		c.pid.Store(0)
	}
	c.runs.Add(1)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case life.Err() != nil:
		c.kills.Add(1)
		return false, nil
	}
	return false, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, stderr.String())
}

// watch looks at the memory of the run under way. What wait4 says of it would not do:
// it counts what the process had between fork and exec, which is ours.
func (c *Command) watch() {
	if pid := c.pid.Load(); pid != 0 {
		c.peakRSSBytes = max(c.peakRSSBytes, peakRSSBytes(strconv.FormatInt(pid, 10)))
	}
}

// check compares the table with an embedded one that the program fills from the
// same files, undisturbed.
func (c *Command) check(ctx context.Context) (err error) {
	dir := filepath.Join(c.Dir, "reference", "table")
	args := append([]string{"run", "--once", "--host", "web01", "--layout", c.Layout, "--table", "embedded:" + dir}, c.logs...)
	if out, err := c.sluice(ctx, "reference", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("fill the embedded table: %w: %s", err, out)
	}
	want, err := embedded.Open(dir, embedded.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, want.Close()) }()
	got, err := hbase.Open(ctx, c.Table, c.Options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, got.Close()) }()
	rows, err := Same(ctx, want, got, schema.Scan{})
	if err == nil && rows != c.lines {
		err = fmt.Errorf("%d rows of %d lines", rows, c.lines)
	}
	return err
}
