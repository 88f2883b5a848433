package collector

import (
	"context"
	"time"
)

// sweepInterval is the time between two sweeps of the archive. Sweeping once at the start is not
// enough: an unfinished upload of a collector that lost its disk is old enough to be removed only
// long after other collectors have started.
const sweepInterval = 12 * time.Hour

// sweepAtOnce is how long the start waits for the first sweep. An archive that is available answers
// within this time; an error that an operator must correct then ends the start.
const sweepAtOnce = 3 * time.Second

// sweeper removes files from the archive and from Columns that earlier processes did not complete.
type sweeper struct {
	cfg   *Config
	life  *lifecycle
	swept chan error // gets the result of the first sweep if it takes long; nil: it is done
}

// sweep removes the incomplete files from the archive and from Columns.
func (s *sweeper) sweep(ctx context.Context) error {
	if err := s.cfg.Archive.Sweep(ctx); err != nil {
		return err
	}
	if s.cfg.Columns != nil {
		return s.cfg.Columns.Sweep(ctx)
	}
	return nil
}

// first sweeps at the start. A collector that retries failures does not wait for an archive that
// does not answer: lines wait in the spool meanwhile, and run waits for the result.
func (s *sweeper) first(ctx context.Context) error {
	if !s.cfg.RetryFailures {
		return s.sweep(ctx)
	}
	swept := make(chan error, 1)
	go func() { swept <- s.sweep(s.life.ctx) }()
	select {
	case err := <-swept:
		return err
	// An interrupt does not end the wait: the spool is stored if the archive answers.
	case <-time.After(sweepAtOnce):
		s.cfg.Log.Warn("archive does not answer, lines wait in the spool")
		s.swept = swept
		return nil
	}
}

// giveUp waits for the first sweep after a failed start. The lifecycle must be stopped.
func (s *sweeper) giveUp() {
	if s.swept != nil {
		<-s.swept
	}
}

// run sweeps the archive every sweepInterval until ctx ends.
func (s *sweeper) run(ctx context.Context) error {
	if s.swept != nil {
		if err := <-s.swept; err != nil { // the sweep ends with ctx
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
