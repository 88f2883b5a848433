package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"sluice/ingest/collector"
	"sluice/monitor"
	"sluice/retry"
)

// diskFull reports whether err says that a disk, or a quota of it, is full.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// openError is the error of something that could not be opened: the user's to correct,
// but for a disk that is full or away, which is no mistake in a command.
func openError(err error) error {
	if mayPass(err) {
		return err
	}
	return usageError{denied(err)}
}

// hintFull is what a user can do about a full disk.
const hintFull = "free space on that disk (df shows it) and start again; nothing is lost, it goes on from there"

// The pauses between two attempts to start on a disk that is full or away.
const (
	firstStartPause = 500 * time.Millisecond
	maxStartPause   = 10 * time.Second
)

// starting is a process that waits for its disk before it can start.
type starting struct {
	kind       monitor.Kind
	host       string
	flags      *statusFlags
	thresholds monitor.Thresholds
	waitsFor   string // table, archive, and what an earlier process left

	mu      sync.Mutex
	trouble collector.Trouble
}

// startsAtOnce is how long opening may take before it is reported that it takes long.
const startsAtOnce = 5 * time.Second

// patiently calls open until it succeeds, fails with an error that cannot pass, or the
// process is stopped. If it takes long, log, status file and /health name what is
// waited for, and since when.
func (s *starting) patiently(a *app, open func() error) error {
	began := time.Now()
	opened := make(chan error, 1)
	go func() { opened <- open() }()
	var err error
	select {
	case err = <-opened:
	case <-time.After(startsAtOnce):
		if err = s.waitFor(a, began, opened); err == nil {
			a.log.Info("start completed", "after", time.Since(began).Round(time.Second))
		}
	}
	if !mayPass(err) {
		return err
	}
	return s.waitForDisk(a, began, err, open)
}

// waitFor waits for open, and reports that.
func (s *starting) waitFor(a *app, began time.Time, opened <-chan error) error {
	s.trouble = collector.Trouble{What: "start", Since: began, Attempts: 1, Error: "waiting for " + s.waitsFor}
	end, err := s.flags.serve(a, watched{look: func() monitor.Fleet { return s.fleet(began) }, thresholds: s.thresholds})
	if err != nil {
		return errors.Join(err, <-opened)
	}
	defer end()
	a.log.Warn("start takes long, waiting", "reason", s.waitsFor)
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		s.report(a, began)
		select {
		case err := <-opened:
			return err
		case <-ticker.C:
		}
	}
}

// waitForDisk waits for a disk that is full, read-only or away.
func (s *starting) waitForDisk(a *app, began time.Time, err error, open func() error) error {
	s.trouble = collector.Trouble{What: "start", Since: began}
	end, served := s.flags.serve(a, watched{look: func() monitor.Fleet { return s.fleet(began) }, thresholds: s.thresholds})
	if served != nil {
		return errors.Join(served, err)
	}
	defer end()
	a.log.Warn("start failed, retrying", "err", err)
	backoff := retry.Backoff{First: firstStartPause, Max: maxStartPause}
	for mayPass(err) {
		s.note(err)
		s.report(a, began)
		select {
		case <-time.After(backoff.Next()):
		case <-a.ctx.Done():
			return context.Cause(a.ctx)
		}
		err = open()
	}
	if err == nil {
		a.log.Info("start recovered", "after", time.Since(began).Round(time.Second), "attempts", s.trouble.Attempts)
	}
	return err
}

func (s *starting) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble.Attempts++
	s.trouble.Error = err.Error()
}

func (s *starting) fleet(began time.Time) monitor.Fleet {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	return monitor.Fleet{
		Now: now, Began: began, Kind: s.kind, Host: s.host, Version: version(),
		Sinks: map[string]monitor.Sink{"start": {
			FailingSeconds: max(now.Sub(began).Seconds(), 0.001), Attempts: s.trouble.Attempts, Error: cmp.Or(s.trouble.Error, "the disk fails"),
		}},
	}
}

// report writes the status file, if the disk lets it.
func (s *starting) report(a *app, began time.Time) {
	f := s.fleet(began)
	h := f.Check(s.thresholds)
	status := monitor.Status{
		At: f.Now, PID: os.Getpid(), Began: began, Host: s.host, Version: version(),
		Storing: &collector.State{Troubles: []collector.Trouble{s.trouble}}, Health: &h,
	}
	if err := monitor.Write(statusPath(a.cli.Data), &status); err != nil {
		a.log.Warn("cannot write the status file, will retry", "err", err)
	}
}
