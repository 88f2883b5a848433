package main

import (
	"errors"
	"io"
	"os"
	"time"

	"sluice/bench/compare"
	"sluice/bench/fleet"
)

// pictureFlag is the flag of web and hog.
type pictureFlag struct {
	Picture string `type:"path" placeholder:"FILE" help:"File for an SVG chart of the governor's decisions."`
}

type webCmd struct {
	pictureFlag
	Beside []string      `default:"none,agent,sluice,flume" placeholder:"NAME" help:"Programs to run beside the server, in random order in each round: none, agent (to a collector that discards), sluice (run), flume."`
	Files  int           `default:"800" placeholder:"N" help:"Number of virtual hosts, each with a log of its own."`
	Load   time.Duration `default:"60s" placeholder:"TIME" help:"Length of a measurement. Up to ten seconds more before it and after it are not measured."`
}

// Run measures a web server with and without a reader of its logs.
func (c *webCmd) Run(a *app) error {
	for _, name := range c.Beside {
		if err := compare.CheckBeside(name); err != nil {
			return usageError{err}
		}
	}
	return a.withPeers(func(sluice compare.Command, peers, dir string) error {
		result, err := compare.MeasureWeb(a.ctx, compare.WebConfig{
			Hosts: c.Files, Beside: c.Beside, Rounds: a.Rounds, Load: c.Load, Seed: a.Seed, Dir: dir, Peers: peers, Command: sluice, Say: a.say,
		})
		if err != nil {
			return err
		}
		return errors.Join(a.print(result), c.draw(result.Picture), a.wrong(result.Wrong()))
	})
}

type hogCmd struct {
	fleetFlags
	pictureFlag
	Hogs int           `default:"4" placeholder:"N" help:"Number of processes that use the CPU."`
	Load time.Duration `default:"12s" placeholder:"TIME" help:"Time for which they run."`
}

// Run measures following on a host whose CPU others use.
func (c *hogCmd) Run(a *app) error {
	sluice, err := a.sluice()
	if err != nil {
		return err
	}
	return a.inDir(func(dir string) error {
		result, err := compare.MeasureHog(a.ctx, compare.HogConfig{
			Fleet: fleet.Config{
				Files: c.Files, Busy: min(c.Busy, c.Files), LinesPerSecond: c.Rate, LinesPerWrite: 1, Shape: fleet.Even, Rotation: fleet.NoRotation, Seed: a.Seed,
			},
			Processes: c.Hogs, Phase: c.Load, Dir: dir, Command: sluice, Say: a.say,
		})
		if err != nil {
			return err
		}
		return errors.Join(a.print(result), c.draw(result.Picture), a.wrong(result.Wrong()))
	})
}

// draw writes the chart to the file of --picture. Without the flag it does nothing.
func (c *pictureFlag) draw(picture func(io.Writer) error) error {
	if c.Picture == "" {
		return nil
	}
	f, err := os.Create(c.Picture)
	if err != nil {
		return usage("--picture: %w", err)
	}
	return errors.Join(picture(f), f.Close())
}
