package collector

import (
	"context"
	"time"
)

// sweepInterval is the time between two sweeps of the archive: what a collector that lost its
// disk left unfinished is old enough to be removed only long after others have started.
const sweepInterval = 12 * time.Hour

// sweepAtOnce is how long a start waits for the first sweep: an archive that is there answers
// within this time, and an error that an operator must correct ends the start.
const sweepAtOnce = 3 * time.Second

// sweeper removes what earlier processes left unfinished in the archive and in Columns.
type sweeper struct {
	cfg   *Config
	life  *lifecycle
	swept chan error // gets the result of the first sweep if it took long; nil: it was done
}

// sweep removes what earlier processes left unfinished in the archive and in Columns.
func (s *sweeper) sweep(ctx context.Context) error {
	if err := s.cfg.Archive.Sweep(ctx); err != nil {
		return err
	}
	if s.cfg.Columns != nil {
		return s.cfg.Columns.Sweep(ctx)
	}
	return nil
}

// first is the sweep of a start. A patient collector does not wait for an archive that does
// not answer: lines wait in the spool meanwhile, and run takes over.
func (s *sweeper) first(ctx context.Context) error {
	if !s.cfg.Patient {
		return s.sweep(ctx)
	}
	swept := make(chan error, 1)
	go func() { swept <- s.sweep(s.life.ctx) }()
	select {
	case err := <-swept:
		return err
	case <-ctx.Done():
		s.life.cancel()
		<-swept
		return ctx.Err()
	case <-time.After(sweepAtOnce):
		s.cfg.Log.Warn("archive does not answer, lines wait in the spool")
		s.swept = swept
		return nil
	}
}

// giveUp waits for the first sweep when a start failed. The lifecycle has been stopped.
func (s *sweeper) giveUp() {
	if s.swept != nil {
		<-s.swept
	}
}

// run sweeps the archive from time to time.
func (s *sweeper) run(ctx context.Context) error {
	if s.swept != nil {
		if err := <-s.swept; err != nil { // it ends with ctx
			err = s.life.attempt(ctx, "archive: sweep", func() error { return s.sweep(ctx) })
			if err != nil {
				return err
			}
		}
	}
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.cfg.Archive.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("archive sweep failed, retrying", "err", err, "retry_in", sweepInterval)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
