package main

import (
	"time"

	"sluice/bench/compare"
	"sluice/bench/fleet"
)

// fleetFlags configure the logs that are written.
type fleetFlags struct {
	Files int `default:"800" placeholder:"N" help:"Number of logs."`
	Busy  int `default:"800" placeholder:"N" help:"Number of logs that are written to."`
	Rate  int `default:"20000" placeholder:"N" help:"Lines a second, over all logs."`
}

type tailCmd struct {
	fleetFlags
	Readers []string      `default:"none,sluice-1s,sluice-200ms,nxadm" placeholder:"NAME" help:"Readers to measure one after another: none, sluice-auto, sluice-1s (or another interval), sweep-1s, nxadm, flume."`
	Shape   []string      `default:"even" placeholder:"NAME" help:"Distribution of the lines: even, hot (90 % in 8 logs), idle."`
	Rotate  []string      `default:"none" placeholder:"NAME" help:"Rotation: none, rename (lines are written to the renamed log for a while) or copytruncate."`
	Every   time.Duration `default:"10s" placeholder:"TIME" help:"Time between two rotations of a log."`
	Stagger bool          `help:"Rotate logs one after another, not all at once."`
	Warm    time.Duration `default:"5s" placeholder:"TIME" help:"Time before the measurement."`
	Window  time.Duration `default:"30s" placeholder:"TIME" help:"Length of the measurement."`
	Kill    bool          `help:"Kill sluice with SIGKILL at random moments and start it again."`
}

// Run measures the cost of following logs.
func (c *tailCmd) Run(a *app) (err error) {
	cfg := compare.TailConfig{
		Fleet: fleet.Config{
			Files: c.Files, Busy: min(c.Busy, c.Files), LinesPerSecond: c.Rate, LinesPerWrite: 1, RotateEvery: c.Every, Staggered: c.Stagger,
			LateFor: c.Every / 4, Keep: 1000, Seed: a.Seed,
		},
		Readers: c.Readers, Warm: c.Warm, Window: c.Window, Rounds: a.Rounds, Kill: c.Kill, Spawn: spawn("tail"), Say: a.say,
	}
	for _, r := range c.Readers {
		if err := compare.CheckTailReader(r); err != nil {
			return usageError{err}
		}
	}
	for _, s := range c.Shape {
		cfg.Shapes = append(cfg.Shapes, fleet.Shape(s))
	}
	for _, r := range c.Rotate {
		cfg.Rotations = append(cfg.Rotations, fleet.Rotation(r))
	}
	if cfg.Peers, err = a.peersDir(); err != nil {
		return err
	}
	return a.inDir(func(dir string) error {
		cfg.Dir = dir
		result, err := compare.MeasureTail(a.ctx, cfg)
		if err != nil {
			return err
		}
		if err := a.print(result); err != nil {
			return err
		}
		if len(result.Wrong()) > 0 { // printed with the result
			return errWrong
		}
		return nil
	})
}
