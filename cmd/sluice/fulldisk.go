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

// diskFull reports whether err means that a disk or a quota on it is full.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// openError wraps the error of an object that could not be opened in a usageError, unless the disk
// is full or unavailable, which is not an error in the command.
func openError(err error) error {
	if mayPass(err) {
		return err
	}
	return usageError{denied(err)}
}

// hintFull is the hint for a full disk.
const hintFull = "free space on that disk (df shows it) and start again; nothing is lost, sluice continues from there"

// These are the pauses between attempts to start while a disk is full or unavailable.
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
	waitsFor   string // what open needs (table, archive, segments in the spool), as text

	mu         sync.Mutex
	retryState collector.RetryState
}

// startsAtOnce is the time after which a slow start is reported.
const startsAtOnce = 5 * time.Second

// withRetry calls open until it succeeds, fails with a permanent error, or the process is stopped.
// If this takes longer than startsAtOnce, the log, the status file and /health report what the
// process waits for, and since when.
func (s *starting) withRetry(a *app, open func() error) error {
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

// waitFor reports that the start takes long, and returns the result of open.
func (s *starting) waitFor(a *app, began time.Time, opened <-chan error) error {
	s.retryState = collector.RetryState{What: "start", Since: began, Attempts: 1, Error: "waiting for " + s.waitsFor}
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

// waitForDisk calls open again, with increasing pauses, while a disk is full, read-only or
// unavailable. err is the error of the first attempt.
func (s *starting) waitForDisk(a *app, began time.Time, err error, open func() error) error {
	s.retryState = collector.RetryState{What: "start", Since: began}
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
		a.log.Info("start recovered", "after", time.Since(began).Round(time.Second), "attempts", s.retryState.Attempts)
	}
	return err
}

func (s *starting) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retryState.Attempts++
	s.retryState.Error = err.Error()
}

func (s *starting) fleet(began time.Time) monitor.Fleet {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	return monitor.Fleet{
		Now: now, Began: began, Kind: s.kind, Host: s.host, Version: version(),
		Sinks: map[string]monitor.Sink{"start": {
			FailingSeconds: max(now.Sub(began).Seconds(), 0.001), Attempts: s.retryState.Attempts, Error: cmp.Or(s.retryState.Error, "the disk fails"),
		}},
	}
}

// report writes the status file. An error is only logged.
func (s *starting) report(a *app, began time.Time) {
	f := s.fleet(began)
	h := f.Check(s.thresholds)
	status := monitor.Status{
		At: f.Now, PID: os.Getpid(), Began: began, Host: s.host, Version: version(),
		Storing: &collector.State{Retries: []collector.RetryState{s.retryState}}, Health: &h,
	}
	if err := monitor.Write(statusPath(a.cli.Data), &status); err != nil {
		a.log.Warn("cannot write the status file, will retry", "err", err)
	}
}
