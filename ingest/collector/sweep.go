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

// sweep removes what earlier processes left unfinished in the archive and in Columns.
func (c *Collector) sweep(ctx context.Context) error {
	if err := c.cfg.Archive.Sweep(ctx); err != nil {
		return err
	}
	if c.cfg.Columns != nil {
		return c.cfg.Columns.Sweep(ctx)
	}
	return nil
}

// sweepFirst is the sweep of a start. A patient collector does not wait for an archive that does
// not answer: lines wait in the spool meanwhile, and sweepAll takes over.
func (c *Collector) sweepFirst(ctx context.Context) error {
	if !c.cfg.Patient {
		return c.sweep(ctx)
	}
	swept := make(chan error, 1)
	life := c.life // start replaces it
	go func() { swept <- c.sweep(life) }()
	select {
	case err := <-swept:
		return err
	case <-ctx.Done():
		c.end()
		<-swept
		return ctx.Err()
	case <-time.After(sweepAtOnce):
		c.cfg.Log.Warn("archive does not answer, lines wait in the spool")
		c.swept = swept
		return nil
	}
}

// sweepAll sweeps the archive from time to time.
func (c *Collector) sweepAll(ctx context.Context) error {
	if c.swept != nil {
		if err := <-c.swept; err != nil { // it ends with ctx
			err = c.attempt(ctx, "archive: sweep", func() error { return c.sweep(ctx) })
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
			if err := c.cfg.Archive.Sweep(ctx); err != nil && ctx.Err() == nil {
				c.cfg.Log.Warn("archive sweep failed, retrying", "err", err, "retry_in", sweepInterval)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
