package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// errFull is an ErrBusy that ends when the spool shrinks.
var errFull = fmt.Errorf("%w: no room in the spool", ErrBusy)

// maxSpoolPieces bounds the batches in the spool: each takes some 300 bytes of memory
// until it is stored, however short it is.
const maxSpoolPieces = 2_000_000

// admit says whether a batch of a host may come.
func (c *Collector) admit(host string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	// What is open keeps room from others: it is sealed, a host's own where it is its share.
	if err := c.checkFull(); err != nil {
		c.spool.roll(0)
		c.feed()
		return err
	}
	if err := c.checkShare(host); err != nil {
		c.spool.rollIf(func(sp *spooled) bool { return sp.name.Host == host })
		c.feed()
		return err
	}
	return nil
}

// checkFull: the spool has as much as it may have. c.mu is held.
func (c *Collector) checkFull() error {
	limit := c.cfg.SpoolMaxBytes
	switch {
	case limit > 0 && c.spool.bytes >= limit:
		return fmt.Errorf("%w: the spool %s is full: %d bytes, --spool-max is %d", errFull, c.cfg.SpoolDir, c.spool.bytes, limit)
	case c.cfg.HostShare > 0 && c.spool.pieces >= maxSpoolPieces:
		return fmt.Errorf("%w: %d batches are in the spool %s, the most that there may be", errFull, c.spool.pieces, c.cfg.SpoolDir)
	}
	return nil
}

// checkShare: the host has as much as it may have while that much is left for others.
// c.mu is held.
func (c *Collector) checkShare(host string) error {
	x := c.spool.hosts[host]
	if x == nil || c.cfg.HostShare == 0 {
		return nil
	}
	err := c.over(host, x)
	switch {
	case err == nil:
		x.overSince = time.Time{}
	case x.overSince.IsZero():
		x.overSince = c.cfg.Now()
		c.cfg.Log.Warn("host has used its share of the spool, its batches wait", "host", host, "bytes", x.bytes, "batches", x.pieces, "spool_bytes", c.spool.bytes)
	}
	return err
}

// over is why nothing more may come of a host. c.mu is held.
func (c *Collector) over(host string, x *share) error {
	times := int64(c.cfg.HostShare)
	if limit := c.cfg.SpoolMaxBytes; limit > 0 && x.bytes >= times*(limit-c.spool.bytes) {
		return fmt.Errorf("%w for host %s: it has %d bytes there, and %d are left free for all, --spool-max is %d, --host-share %d", errFull, host, x.bytes, limit-c.spool.bytes, limit, times)
	}
	if left := maxSpoolPieces - c.spool.pieces; x.pieces >= times*left {
		return fmt.Errorf("%w for host %s: %d of its batches are there, and %d more may come of all", errFull, host, x.pieces, left)
	}
	return nil
}

// Offer is Append that waits until the spool has room.
func (c *Collector) Offer(ctx context.Context, t *checkpoint.Stream, b schema.Batch) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		err := c.Append(ctx, t, b)
		if !errors.Is(err, ErrBusy) || !c.cfg.Patient && !errors.Is(err, errFull) {
			return err
		}
		if !errors.Is(err, errFull) {
			changed = nil // a failed disk is not better because a segment of it was given up
		}
		if paused := c.pause(ctx, changed); paused != nil {
			return fmt.Errorf("%w; %w", paused, err)
		}
	}
}
