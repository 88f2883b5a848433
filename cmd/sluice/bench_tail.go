package main

import (
	"context"
	"os/exec"
	"time"

	"sluice/bench"
	"sluice/bench/fleet"
)

// fleetFlags are those of `bench tail`; some are also of `bench web` and `bench hog`.
type fleetFlags struct {
	Readers []string      `default:"none,sluice-1s,sluice-200ms,nxadm" placeholder:"NAME" help:"tail: readers to measure one after another: none, sluice-auto, sluice-1s (or another interval), sweep-1s, nxadm, flume."`
	Files   int           `default:"800" placeholder:"N" help:"tail, hog: number of logs; web: of virtual hosts."`
	Busy    int           `default:"800" placeholder:"N" help:"tail, hog: how many of them are written to."`
	Rate    int           `default:"20000" placeholder:"N" help:"tail, hog: lines a second, over all logs."`
	Shape   []string      `default:"even" placeholder:"NAME" help:"tail: how lines are spread: even, hot (90 % in 8 logs), idle."`
	Rotate  []string      `default:"none" placeholder:"NAME" help:"tail: none, rename (old descriptors are written to for a while), copytruncate."`
	Every   time.Duration `default:"10s" placeholder:"TIME" help:"tail: time between two rotations of a log."`
	Stagger bool          `help:"tail: logs are rotated one after another, not all at once."`
	Warm    time.Duration `default:"5s" placeholder:"TIME" help:"tail: time before the measurement."`
	Window  time.Duration `default:"30s" placeholder:"TIME" help:"tail: time of the measurement."`
	Kill    bool          `help:"tail: kill sluice with SIGKILL at random moments and start it again."`
	Peers   string        `placeholder:"DIR" help:"tail, web: folder that keeps Flume's jars (default: the user's cache)."`
}

// tail measures what following logs costs.
func (c *benchCmd) tail(a *app) (err error) {
	cfg := bench.TailConfig{
		Fleet: fleet.Config{
			Files: c.Files, Busy: min(c.Busy, c.Files), LinesPerSecond: c.Rate, LinesPerWrite: 1, RotateEvery: c.Every, Staggered: c.Stagger,
			LateFor: c.Every / 4, Keep: 1000, Seed: c.Seed,
		},
		Readers: c.Readers, Warm: c.Warm, Window: c.Window, Rounds: c.Rounds, Kill: c.Kill,
		Spawn: spawnTailChild, Say: func(what string) { a.log.Info("measuring", "what", what) },
	}
	for _, r := range c.Readers {
		if err := bench.CheckTailReader(r); err != nil {
			return usageError{err}
		}
	}
	for _, s := range c.Shape {
		cfg.Shapes = append(cfg.Shapes, fleet.Shape(s))
	}
	for _, r := range c.Rotate {
		cfg.Rotations = append(cfg.Rotations, fleet.Rotation(r))
	}
	if cfg.Peers, err = c.peersFolder(); err != nil {
		return err
	}
	return c.inFolder(func(dir string) error {
		cfg.Dir = dir
		result, err := bench.MeasureTail(a.ctx, cfg)
		if err != nil {
			return err
		}
		if err := c.print(a, result); err != nil {
			return err
		}
		if len(result.Wrong()) > 0 { // they are printed with it
			return exitError(1)
		}
		return nil
	})
}

// spawnTailChild starts this program again as a part of `bench tail`.
func spawnTailChild(ctx context.Context) *exec.Cmd { return spawnSelf(ctx, "bench-child") }

// benchChildCmd is the writer or a reader of `bench tail`, or our client of `bench
// hbase`; it is told what to do on its standard input.
type benchChildCmd struct {
	Of string `arg:"" optional:"" default:"tail" enum:"tail,hbase"`
}

func (c benchChildCmd) Run(a *app) error {
	if c.Of == "hbase" {
		holdLittle() // as a run does
		return bench.HBaseChild(a.ctx, a.stdin, a.stdout)
	}
	return bench.TailChild(a.ctx, a.stdin, a.stdout)
}
