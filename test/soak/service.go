package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
)

// Service is the program run for good, as an init system does it: a fault kills,
// pauses and starts it; ended by itself, it has failed.
type Service struct {
	Program
	Name string
	Args []string

	mu       sync.Mutex
	kill     context.CancelFunc // of the present process
	down     chan struct{}      // closed when it may start again; nil: it may
	stopping bool
}

// Run runs it until it was told to stop, and has ended well.
func (s *Service) Run(ctx context.Context) error {
	for {
		s.mu.Lock()
		down := s.down
		s.mu.Unlock()
		if down != nil {
			select {
			case <-down:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		over, err := s.life(ctx)
		if err != nil || over {
			return err
		}
	}
}

// life is one process, to its end.
func (s *Service) life(ctx context.Context) (over bool, err error) {
	alive, kill := context.WithCancel(ctx)
	defer kill()
	s.mu.Lock()
	if s.stopping || s.down != nil { // before it was there
		defer s.mu.Unlock()
		return s.stopping, nil
	}
	s.kill = kill
	s.mu.Unlock()
	done, err := s.end(ctx, alive, s.command(alive, s.Args...))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
	case done && !s.stopping:
		err = errors.New("it ended, and nobody had told it to")
	case !done && s.stopping:
		err = errors.New("it did not end well when it was told to")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", s.Name, err)
	}
	return s.stopping, err
}

// signal sends one to the process, if there is one.
func (s *Service) signal(sig syscall.Signal) {
	if pid := s.pid.Load(); pid > 0 {
		_ = syscall.Kill(int(pid), sig) // it may just have ended, which Run sees
	}
}

// Stop tells it to end.
func (s *Service) Stop() {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.signal(syscall.SIGTERM)
}

// Kill kills it with SIGKILL; Start lets it live again.
func (s *Service) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = make(chan struct{})
	if s.kill != nil {
		s.kill()
	}
}

// Lose kills it, and its disk is lost: the data folder is gone, as an id that is in
// the names of what it left in the archive. Start lets it live again, as a new one.
func (s *Service) Lose(ctx context.Context) (id string, err error) {
	s.Kill()
	for s.pid.Load() != 0 && ctx.Err() == nil {
		wait(ctx, 10*time.Millisecond)
	}
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(s.Data, "checkpoint"), "")
	if err != nil {
		return "", err
	}
	return file.Collector(), os.RemoveAll(s.Data)
}

// Start starts what was killed.
func (s *Service) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.down)
	s.down = nil
}

// Pause stops it with SIGSTOP, Resume lets it go on.
func (s *Service) Pause() { s.signal(syscall.SIGSTOP) }

// Resume is after Pause.
func (s *Service) Resume() { s.signal(syscall.SIGCONT) }
