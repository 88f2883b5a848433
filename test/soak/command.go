package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"sluice/bench/sample"
	"sluice/hbase"
	"sluice/schema"
)

// command is a load: the program stores one log after another in a table with --once, is killed
// with SIGKILL at random times, and is run again until it succeeds.
type command struct {
	program
	dir     string // for logs and the reference
	table   hbase.URL
	url     string // table as the flag's value
	options hbase.Options
	layout  string // name of the layout
	seed    uint64
	// hosts are used for the logs in turn.
	hosts []string
	// flags are additional flags. generate generates a log; nil: one of linesPerFile lines.
	flags    []string
	generate func(i uint64) ([]byte, error)

	logs         []hostLog
	lines, count atomic.Int64 // count of logs
	stored       atomic.Int64 // lines of the logs that a run has stored
	ended        atomic.Bool
}

// hostLog is a log file and its host.
type hostLog struct{ host, path string }

const (
	logFormat    = "combined"
	linesPerFile = 20_000
	// maxRun is the longest time after which a run is killed: shorter than most runs.
	maxRun = 4 * time.Second
)

// Run implements load.
func (c *command) Run(ctx context.Context, enough <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(c.seed, 5))
	defer c.ended.Store(true)
	for i := uint64(0); ; i++ {
		l, err := c.write(i)
		if err != nil {
			return err
		}
		for done := false; !done; {
			if done, err = c.once(ctx, l, rng, enough); err != nil {
				return err
			}
		}
		c.stored.Store(c.lines.Load())
		select {
		case <-enough:
			return nil
		default:
		}
	}
}

// write writes the next log.
func (c *command) write(i uint64) (hostLog, error) {
	l := hostLog{c.hosts[i%uint64(len(c.hosts))], filepath.Join(c.dir, fmt.Sprintf("access%03d.log", i))}
	text, err := c.text(i)
	if err == nil {
		err = os.WriteFile(l.path, text, 0o600)
	}
	c.logs = append(c.logs, l)
	c.lines.Add(int64(bytes.Count(text, []byte("\n"))))
	c.count.Add(1)
	return l, err
}

func (c *command) text(i uint64) ([]byte, error) {
	if c.generate != nil {
		return c.generate(i)
	}
	var text bytes.Buffer
	err := sample.Write(&text, c.seed<<20+i, linesPerFile)
	return text.Bytes(), err
}

// once runs the program. Every second run, until enough is closed, is killed after a random time.
func (c *command) once(ctx context.Context, l hostLog, rng *rand.Rand, enough <-chan struct{}) (done bool, err error) {
	life := time.Duration(0)
	if rng.IntN(2) == 0 {
		select {
		case <-enough:
		default:
			life = below(rng, maxRun)
		}
	}
	return c.runFor(ctx, life, c.args(l, c.url, l.path)...)
}

// args returns the arguments of a run.
func (c *command) args(l hostLog, table string, paths ...string) []string {
	args := append([]string{"run", "--once", "--host", l.host, "--layout", c.layout, "--format", logFormat, "--table", table}, c.flags...)
	return append(args, paths...)
}

// check compares the table with a columnar table that the undisturbed program makes from the same
// files.
func (c *command) check(ctx context.Context) (err error) {
	reference := program{binary: c.binary, data: filepath.Join(c.dir, "reference")}
	dir := filepath.Join(reference.data, "table")
	paths := map[string][]string{}
	for _, l := range c.logs {
		paths[l.host] = append(paths[l.host], l.path)
	}
	for host, paths := range paths {
		args := append([]string{"run", "--once", "--host", host, "--format", logFormat, "--table", "parquet:" + dir}, paths...)
		if out, err := reference.command(ctx, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("fill the columnar table: %w: %s", err, out)
		}
	}
	layout, err := schema.NewLayout(c.layout)
	if err != nil {
		return err
	}
	want, err := openReference(ctx, dir, layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, want.Close()) }()
	got, err := hbase.Open(ctx, c.table, c.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, got.Close()) }()
	rows, err := sameLines(ctx, want, got, schema.Scan{})
	if lines := c.lines.Load(); err == nil && rows != lines {
		err = fmt.Errorf("%d rows of %d lines", rows, lines)
	}
	return err
}
