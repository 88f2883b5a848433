package agent

import (
	"context"
	"sync"
	"time"
)

// saver saves the checkpoint, and knows whether that fails.
type saver struct {
	cfg *Config

	// mu guards the fields below.
	mu       sync.Mutex
	dirty    bool  // a stored position changed and is not saved yet
	loss     int64 // the greatest number of a loss at the last call of due
	err      string
	since    *time.Time // of the first of attempts; nil: the last one succeeded
	attempts int        // that failed since the last one that succeeded
}

// changed marks the checkpoint as changed, so that it is saved at the next heartbeat interval.
func (s *saver) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = true
}

// due reports whether the checkpoint changed since the last call. A new loss is a change, because an
// acknowledgement of a loss is for the number that it has on disk.
func (s *saver) due() bool {
	last := s.cfg.Checkpoint.Losses.Count().Last
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.dirty || last > s.loss
	s.dirty, s.loss = false, last
	return due
}

// save saves the checkpoint, and retries until it succeeds.
func (s *saver) save(ctx context.Context) error {
	for s.try() != nil {
		select {
		case <-time.After(saveAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

const saveAgain = 5 * time.Second

// try saves the checkpoint once.
func (s *saver) try() error {
	err := s.cfg.Checkpoint.Save()
	s.mu.Lock()
	first, attempts, since := s.attempts == 0, s.attempts, s.since
	if err == nil {
		s.err, s.since, s.attempts = "", nil, 0
	} else {
		s.err = err.Error()
		s.attempts++
		if first {
			now := s.cfg.Now()
			s.since = &now
		}
	}
	s.mu.Unlock()
	switch {
	case err == nil && !first:
		s.cfg.Log.Info("checkpoint save recovered", "after", s.cfg.Now().Sub(*since).Round(time.Second), "attempts", attempts)
	case err != nil && first:
		s.cfg.Log.Warn("checkpoint save failed, retrying", "err", err)
	}
	return err
}

// failing returns the error of the last attempt, since when and how often it occurred. "": it
// succeeded.
func (s *saver) failing() (err string, since *time.Time, attempts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err, s.since, s.attempts
}
