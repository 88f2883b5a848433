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

// webHost is a host with a web server that writes and rotates logs, and an agent.
type webHost struct {
	name  string
	dir   string // of the logs
	agent *service
	links []*link // one for each collector

	fleet *fleet.Fleet
	// stored is the position in the agent's checkpoint when it was last read.
	stored atomic.Int64
}

const (
	logsPerHost = 5
	// The hosts' clock is faster, so that a soak contains several midnights: it begins at
	// clockStart, and a day lasts 6 minutes.
	clockFactor = 240
	// linesPerClockSecond gives 480 lines a real second.
	linesPerClockSecond = 2
	// stepInterval is the time between two bursts of lines.
	stepInterval = 10 * time.Millisecond
)

// clockStart is shortly before a midnight.
func clockStart() time.Time { return time.Date(2026, time.September, 3, 23, 30, 0, 0, time.UTC) }

// clock returns a clock that starts now.
func clock() func() time.Time {
	began := time.Now()
	return func() time.Time { return clockStart().Add(clockFactor * time.Since(began)) }
}

// rotations returns a kind of rotation for each host: rename with children that keep writing to the
// old file for some time, copytruncate, and rename.
func rotations(length time.Duration) []fleet.Config {
	c := []fleet.Config{
		{Rotation: fleet.Rename, RotateEvery: 7 * time.Second, LateFor: 3 * time.Second},
		{Rotation: fleet.CopyTruncate, RotateEvery: 5 * time.Second},
		{Rotation: fleet.Rename, RotateEvery: 11 * time.Second},
	}
	for i := range c {
		c[i].Keep = int((length+2*endLimit)/c[i].RotateEvery) + 1 // keep all logs, because the checks compare with them
		c[i].RotateEvery *= clockFactor
		c[i].LateFor *= clockFactor
	}
	return c
}

// serve creates the host's logs; write continues them.
func (h *webHost) serve(c fleet.Config, seed uint64) (err error) {
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		return err
	}
	c.Dir, c.Seed, c.Now = h.dir, seed, clock()
	c.Files, c.Busy, c.LinesPerSecond, c.Shape, c.Staggered = logsPerHost, logsPerHost-1, linesPerClockSecond, fleet.Even, true
	h.fleet, err = fleet.New(c)
	return err
}

// write writes and rotates until enough is closed.
func (h *webHost) write(ctx context.Context, enough <-chan struct{}) (err error) {
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

// look reads how many bytes the agent knows to be stored.
func (h *webHost) look() (bytes int64, err error) {
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(h.agent.data, "checkpoint"), "")
	if err != nil {
		return 0, err
	}
	for _, t := range file.Streams() {
		bytes += t.Stored
	}
	return bytes, nil
}

// drained waits until the agent knows that all lines are stored. The host must not write meanwhile.
func (h *webHost) drained(ctx context.Context) error {
	_, want, _ := h.fleet.Written()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		got, err := h.look()
		if err != nil || got == want {
			return err
		}
		if got > want {
			return fmt.Errorf("%s: the checkpoint has %d bytes as stored, but %d were written", h.name, got, want)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %d bytes are stored of %d: %w", h.name, got, want, ctx.Err())
		}
	}
}

// logs returns the host's log files.
func (h *webHost) logs() (logs []hostLog, err error) {
	err = filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			logs = append(logs, hostLog{h.name, path})
		}
		return err
	})
	return logs, err
}
