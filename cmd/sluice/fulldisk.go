package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"sluice/ingest"
	"sluice/monitor"
)

// diskFull reports whether err says that a disk, or a quota of it, is full.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// openError is the error of something that could not be opened: the user's to correct,
// but for a full disk, which is no mistake in a command.
func openError(err error) error {
	if diskFull(err) {
		return err
	}
	return usageError{err}
}

// hintFull is what a user can do about a full disk.
const hintFull = "free space on that disk (df shows it) and start again; nothing is lost, it goes on from there"

// The pauses between two attempts to start on a full disk.
const (
	firstStartPause = 500 * time.Millisecond
	maxStartPause   = 10 * time.Second
)

// starting is a process that waits for room on its disk before it can start.
type starting struct {
	kind       monitor.Kind
	host       string
	flags      *statusFlags
	thresholds monitor.Thresholds

	mu      sync.Mutex
	trouble ingest.Trouble
}

// patiently calls open until it succeeds, fails with another error than a full disk, or
// the process is told to stop. Meanwhile log, status file and /health say why it waits.
func (s *starting) patiently(a *app, open func() error) error {
	err := open()
	if !diskFull(err) {
		return err
	}
	began := time.Now()
	s.trouble = ingest.Trouble{What: "start", Since: began}
	end, served := s.flags.serve(a, watched{look: func() monitor.Fleet { return s.fleet(began) }, thresholds: s.thresholds})
	if served != nil {
		return errors.Join(served, err)
	}
	defer end()
	a.log.Warn("disk full at start, retrying", "err", err)
	for pause := firstStartPause; diskFull(err); pause = min(2*pause, maxStartPause) {
		s.note(err)
		s.report(a, began)
		select {
		case <-time.After(pause):
		case <-a.ctx.Done():
			return context.Cause(a.ctx)
		}
		err = open()
	}
	if err == nil {
		a.log.Info("start recovered from a full disk", "after", time.Since(began).Round(time.Second), "attempts", s.trouble.Attempts)
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
			FailingSeconds: max(now.Sub(began).Seconds(), 0.001), Attempts: s.trouble.Attempts, Error: cmp.Or(s.trouble.Error, "disk full"),
		}},
	}
}

// report writes the status file, if the full disk has room for it.
func (s *starting) report(a *app, began time.Time) {
	f := s.fleet(began)
	h := f.Check(s.thresholds)
	status := monitor.Status{
		At: f.Now, PID: os.Getpid(), Began: began, Host: s.host, Version: version(),
		Storing: &ingest.State{Troubles: []ingest.Trouble{s.trouble}}, Health: &h,
	}
	if err := monitor.Write(statusPath(a.cli.Data), &status); err != nil {
		a.log.Warn("cannot write the status file, will retry", "err", err)
	}
}
