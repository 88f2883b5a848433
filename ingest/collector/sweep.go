package collector

import (
	"context"
	"time"
)

// sweepInterval is the time between two sweeps of the archive: what a collector that lost its
// disk left unfinished is old enough to be removed only long after others have started.
const sweepInterval = 12 * time.Hour

// sweepAll sweeps the archive from time to time.
func (c *Collector) sweepAll(ctx context.Context) error {
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
