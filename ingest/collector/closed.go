package collector

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"sluice/archive"
	"sluice/ingest/checkpoint"
)

// lastZone is where a day ends last, for segments of which the zone is not known:
// those of an earlier life.
const lastZone = -12 * 3600

// noteUnmarked remembers the directory of a segment that is about to be archived as
// name.
func (c *Collector) noteUnmarked(sp *spooled, name string) error {
	if !c.cfg.MarkClosed {
		return nil
	}
	start, err := time.Parse(periodLayout[:len(sp.name.Period)], sp.name.Period)
	if err != nil {
		return err
	}
	c.mu.Lock()
	zone := lastZone
	if sp.zoned {
		zone = int(sp.zone)
	}
	c.mu.Unlock()
	y, m, day := start.Date()
	start = time.Date(y, m, day, start.Hour(), start.Minute(), 0, 0, time.FixedZone("", zone))
	c.cfg.Checkpoint.AddUnmarked(checkpoint.Directory{Dir: path.Dir(name), Start: start})
	return nil
}

// markAll marks directories of closed days whenever a tick says so.
func (c *Collector) markAll(ctx context.Context) error {
	for {
		select {
		case now := <-c.closing:
			if err := c.mark(ctx, now); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mark marks the directories to which nothing is to come any more.
func (c *Collector) mark(ctx context.Context, now time.Time) error {
	closed, err := c.closed(now)
	if err != nil || len(closed) == 0 {
		return err
	}
	for _, dir := range closed {
		err := c.attempt(ctx, "mark "+dir, func() error { return c.cfg.Archive.Mark(ctx, dir) })
		if err != nil {
			return fmt.Errorf("archive: mark %s as complete: %w", dir, err)
		}
		c.cfg.Checkpoint.RemoveUnmarked(dir)
	}
	// What a crash forgets is marked again, which changes nothing.
	return c.attempt(ctx, "checkpoint", c.cfg.Checkpoint.Save)
}

// closed are the directories of days that ended, for which no segment waits.
func (c *Collector) closed(now time.Time) ([]string, error) {
	var dirs, waiting []archive.Span
	for _, d := range c.cfg.Checkpoint.Unmarked() {
		dirs = append(dirs, archive.Span{Dir: d.Dir, Start: d.Start})
	}
	if len(dirs) == 0 {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	note := func(sp *spooled) error {
		name, err := c.archiveName(sp)
		waiting = append(waiting, archive.Span{Dir: path.Dir(name)})
		return err
	}
	for _, sp := range c.spool.open {
		if err := note(sp); err != nil {
			return nil, err
		}
	}
	for _, sp := range slices.DeleteFunc(slices.Clone(c.spool.held), func(sp *spooled) bool { return sp.archived }) {
		if err := note(sp); err != nil {
			return nil, err
		}
	}
	return archive.Closed(dirs, waiting, now, c.cfg.ClosedGrace), nil
}
