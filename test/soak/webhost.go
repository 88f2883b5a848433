package soak

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"sluice/bench/fleet"
	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
)

// WebHost is a host whose web server writes logs, rotates them, and has an agent.
type WebHost struct {
	Name  string
	Dir   string // of the logs
	Agent *Service
	Links []*Link // to each collector

	fleet *fleet.Fleet
	// stored is what the agent's checkpoint said last.
	stored atomic.Int64
}

const (
	logsPerHost = 5
	// The hosts' clock runs faster, so that a soak sees some midnights: it begins at
	// clockStart, and a day lasts 6 minutes.
	clockFactor = 240
	// linesPerClockSecond make 480 lines a second.
	linesPerClockSecond = 2
	// stepInterval is between two bursts of lines.
	stepInterval = 10 * time.Millisecond
)

// clockStart is some seconds before a midnight.
func clockStart() time.Time { return time.Date(2026, time.September, 3, 23, 30, 0, 0, time.UTC) }

// clock is one that began now.
func clock() func() time.Time {
	began := time.Now()
	return func() time.Time { return clockStart().Add(clockFactor * time.Since(began)) }
}

// rotations are those of the hosts, in turn: by rename with children that keep the
// old file for a while, by copytruncate, and by rename.
func rotations(length time.Duration) []fleet.Config {
	c := []fleet.Config{
		{Rotation: fleet.Rename, RotateEvery: 7 * time.Second, LateFor: 3 * time.Second},
		{Rotation: fleet.CopyTruncate, RotateEvery: 5 * time.Second},
		{Rotation: fleet.Rename, RotateEvery: 11 * time.Second},
	}
	for i := range c {
		c[i].Keep = int((length+2*patience)/c[i].RotateEvery) + 1 // all of them: the logs are the measure
		c[i].RotateEvery *= clockFactor
		c[i].LateFor *= clockFactor
	}
	return c
}

// serve makes the host's logs; write goes on with them.
func (h *WebHost) serve(c fleet.Config, seed uint64) (err error) {
	if err := os.Mkdir(h.Dir, 0o700); err != nil {
		return err
	}
	c.Dir, c.Seed, c.Now = h.Dir, seed, clock()
	c.Files, c.Busy, c.LinesPerSecond, c.Shape, c.Staggered = logsPerHost, logsPerHost-1, linesPerClockSecond, fleet.Even, true
	h.fleet, err = fleet.New(c)
	return err
}

// write writes and rotates until it is enough.
func (h *WebHost) write(ctx context.Context, enough <-chan struct{}) (err error) {
	defer func() { err = errors.Join(err, h.fleet.Close()) }()
	h.fleet.Begin()
	tick := time.NewTicker(stepInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := h.fleet.Step(); err != nil {
				return err
			}
		case <-enough:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look reads how much the agent knows to be stored.
func (h *WebHost) look() (bytes int64, err error) {
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(h.Agent.Data, "checkpoint"), "")
	if err != nil {
		return 0, err
	}
	for _, t := range file.Streams() {
		bytes += t.Stored
	}
	return bytes, nil
}

// drained waits until the agent knows all lines to be stored; the fleet rests.
func (h *WebHost) drained(ctx context.Context) error {
	_, want, _ := h.fleet.Written()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		got, err := h.look()
		if err != nil || got == want {
			return err
		}
		if got > want {
			return fmt.Errorf("%s: %d bytes are said to be stored of %d", h.Name, got, want)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %d bytes are stored of %d: %w", h.Name, got, want, ctx.Err())
		}
	}
}

// logs are the files that it has.
func (h *WebHost) logs() (logs []hostLog, err error) {
	err = filepath.WalkDir(h.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			logs = append(logs, hostLog{h.Name, path})
		}
		return err
	})
	return logs, err
}
