package collector

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// syncsAtOnce is how many files are synced side by side.
const syncsAtOnce = 8

// Sync waits until a range that Append took is on disk. Those who wait together
// share the wait: one fsync a segment is for all that was appended before it. An
// error that wraps ErrBusy says that the disk failed and that the range has to be
// offered again.
func (c *Collector) Sync(ctx context.Context, t *checkpoint.Stream, r schema.Range) error {
	st := c.stream(t)
	for {
		c.mu.Lock()
		synced := len(st.synced.Missing(r)) == 0
		lost := len(st.received.Missing(r)) > 0
		err, changed := c.err, c.changed
		c.mu.Unlock()
		switch {
		case synced:
			return nil
		case err != nil:
			return err
		case lost:
			return fmt.Errorf("%w: the disk did not keep %v of %s", ErrBusy, r, t.ID)
		}
		select {
		case c.syncs <- struct{}{}:
		default: // asked for already
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// syncAll syncs what is asked for.
func (c *Collector) syncAll(ctx context.Context) error {
	for {
		select {
		case <-c.syncs:
			c.syncOpen()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// syncOpen makes all open segments durable as they are now.
func (c *Collector) syncOpen() {
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	c.mu.Lock()
	var open []*spooled
	for _, sp := range c.spool.open {
		if len(sp.fresh) > 0 {
			open = append(open, sp)
		}
	}
	c.mu.Unlock()
	if len(open) == 0 {
		return // it is in a segment that is being sealed or mended, which tells
	}
	for _, sp := range open {
		group.Go(func() error { c.syncOne(sp); return nil })
	}
	group.Wait() //nolint:errcheck // each handles its own
	c.mu.Lock()
	defer c.mu.Unlock()
	c.announce()
}

func (c *Collector) syncOne(sp *spooled) {
	sp.use.RLock()
	defer sp.use.RUnlock()
	if sp.writer == nil {
		return // sealed meanwhile: those who wait are told by that
	}
	size := sp.writer.Size()
	err := sp.writer.Sync()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.spool.rollBroken(sp)
		c.feed()
		if err = c.spoolFailed(err); !c.cfg.Patient && c.err == nil {
			c.err = err
		}
		return
	}
	sp.noteSynced(size)
}

// noteSynced: all members before size survive a crash. Collector.mu is held.
func (sp *spooled) noteSynced(size int64) {
	kept := sp.fresh[:0]
	for _, p := range sp.fresh {
		if p.member.End() > size {
			kept = append(kept, p)
			continue
		}
		p.stream.synced.Add(p.Range)
	}
	clear(sp.fresh[len(kept):])
	sp.fresh = kept
}
