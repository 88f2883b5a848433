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

// service is a permanently running program, as under an init system. Faults kill, pause and start
// it; if it ends by itself, it has failed.
type service struct {
	program
	name string
	args []string

	mu       sync.Mutex
	kill     context.CancelFunc // of the current process
	down     chan struct{}      // closed when it may start again; nil: it may
	stopping bool
}

// Run runs it until stop was called and it has ended without error.
func (s *service) Run(ctx context.Context) error {
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
		over, err := s.runOnce(ctx)
		if err != nil || over {
			return err
		}
	}
}

// runOnce runs one process until its end.
func (s *service) runOnce(ctx context.Context) (over bool, err error) {
	alive, kill := context.WithCancel(ctx)
	defer kill()
	s.mu.Lock()
	if s.stopping || s.down != nil { // before it was started
		defer s.mu.Unlock()
		return s.stopping, nil
	}
	s.kill = kill
	s.mu.Unlock()
	done, err := s.end(ctx, alive, s.command(alive, s.args...))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
	case done && !s.stopping:
		err = errors.New("it ended without being stopped")
	case !done && s.stopping:
		err = errors.New("it failed when it was stopped")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", s.name, err)
	}
	return s.stopping, err
}

// signal sends a signal to the process, if there is one.
func (s *service) signal(sig syscall.Signal) {
	if pid := s.pid.Load(); pid > 0 {
		_ = syscall.Kill(int(pid), sig) // it may just have ended, which Run detects
	}
}

// stop stops it with SIGTERM.
func (s *service) stop() {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.signal(syscall.SIGTERM)
}

// killNow kills it with SIGKILL; start permits it to run again.
func (s *service) killNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = make(chan struct{})
	if s.kill != nil {
		s.kill()
	}
}

// lose kills it and deletes its data directory. It returns its id, which is in the names of its
// files in the archive. After start it has a new id.
func (s *service) lose(ctx context.Context) (id string, err error) {
	s.killNow()
	for s.pid.Load() != 0 && ctx.Err() == nil {
		wait(ctx, 10*time.Millisecond)
	}
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(s.data, "checkpoint"), "")
	if err != nil {
		return "", err
	}
	return file.Collector(), os.RemoveAll(s.data)
}

// start starts it after killNow or lose.
func (s *service) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.down)
	s.down = nil
}

// pause stops it with SIGSTOP.
func (s *service) pause() { s.signal(syscall.SIGSTOP) }

// resume continues it after pause.
func (s *service) resume() { s.signal(syscall.SIGCONT) }
