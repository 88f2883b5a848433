package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice/bench"
	"sluice/bench/fleet"
)

// loadFlags are those of `bench web` and `bench hog`.
type loadFlags struct {
	Beside  []string      `default:"none,sluice,flume" placeholder:"NAME" help:"web: what runs beside the server, in turn: none, sluice, flume."`
	Load    time.Duration `default:"12s" placeholder:"TIME" help:"web: time of a measurement. hog: how long the hog runs."`
	Hogs    int           `default:"4" placeholder:"N" help:"hog: processes that compute."`
	Picture string        `type:"path" placeholder:"FILE" help:"web, hog: SVG of what the governor decided."`
}

// web measures a web server with and without a reader of its logs.
func (c *benchCmd) web(a *app) error {
	for _, name := range c.Beside {
		if err := bench.CheckBeside(name); err != nil {
			return usageError{err}
		}
	}
	return c.inFolder(func(dir string) error {
		cfg := bench.WebConfig{
			Hosts: c.Files, Beside: c.Beside, Rounds: c.Rounds, Load: c.Load, Dir: dir, Command: spawnSelf,
			Say: func(what string) { a.log.Info("measuring", "beside", what) },
		}
		var err error
		if cfg.Peers, err = c.peersFolder(); err != nil {
			return err
		}
		result, err := bench.MeasureWeb(a.ctx, cfg)
		if err != nil {
			return err
		}
		if err := errors.Join(c.print(a, result), c.draw(result.Picture)); err != nil {
			return err
		}
		return a.wrong(result.Wrong())
	})
}

// hog measures following beside somebody who takes the CPU.
func (c *benchCmd) hog(a *app) error {
	return c.inFolder(func(dir string) error {
		result, err := bench.MeasureHog(a.ctx, bench.HogConfig{
			Fleet: fleet.Config{
				Files: c.Files, Busy: min(c.Busy, c.Files), LinesPerSecond: c.Rate, LinesPerWrite: 1, Shape: fleet.Even, Rotation: fleet.NoRotation, Seed: c.Seed,
			},
			Processes: c.Hogs, Phase: c.Load, Dir: dir, Command: spawnSelf,
			Say: func(what string) { a.log.Info("measuring", "what", what) },
		})
		if err != nil {
			return err
		}
		if err := errors.Join(c.print(a, result), c.draw(result.Picture)); err != nil {
			return err
		}
		return a.wrong(result.Wrong())
	})
}

// wrong prints what is wrong, if anything, and fails then.
func (a *app) wrong(lines []string) error {
	for _, line := range lines {
		a.log.Error(line)
	}
	if len(lines) > 0 {
		return exitError(1)
	}
	return nil
}

// inFolder calls do with a temporary folder.
func (c *benchCmd) inFolder(do func(dir string) error) error {
	dir, err := os.MkdirTemp(c.Dir, "sluice-bench-")
	if err != nil {
		return usage("--dir: %w", err)
	}
	return errors.Join(do(dir), os.RemoveAll(dir))
}

// draw writes the picture that was asked for.
func (c *benchCmd) draw(picture func(io.Writer) error) error {
	if c.Picture == "" {
		return nil
	}
	f, err := os.Create(c.Picture)
	if err != nil {
		return usage("--picture: %w", err)
	}
	return errors.Join(picture(f), f.Close())
}

// peersFolder keeps what peers need between runs.
func (c *benchCmd) peersFolder() (string, error) {
	if c.Peers != "" {
		return c.Peers, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", usage("--peers: %w", err)
	}
	return filepath.Join(cache, "sluice-peers"), nil
}

// spawnSelf starts this program as a user would, but for the settings of this
// process.
func spawnSelf(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	for _, s := range os.Environ() {
		if !strings.HasPrefix(s, "SLUICE_") {
			cmd.Env = append(cmd.Env, s)
		}
	}
	return cmd
}
