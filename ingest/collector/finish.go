package collector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"

	"sluice/ingest/segment"
	"sluice/retry"
	"sluice/schema"
)

// feed gives segments that were rolled to those who finish them, as far as these
// have room. c.mu is held.
func (c *Collector) feed() {
	for len(c.spool.due) > 0 {
		select {
		case c.rolled <- c.spool.due[0]:
			c.spool.due = c.spool.due[1:]
		default:
			return // whoever finishes one feeds the next
		}
	}
}

// finishAll seals and archives segments.
func (c *Collector) finishAll(ctx context.Context) error {
	for {
		select {
		case sp := <-c.rolled:
			err := c.finish(ctx, sp)
			if err != nil && (!c.cfg.Patient || ctx.Err() != nil) {
				return err
			}
			if err != nil {
				c.finishLater(ctx, sp, err)
			}
			c.mu.Lock()
			c.feed()
			c.announce()
			c.mu.Unlock()
			c.nudge()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finishLater tries a segment again after a while; others are finished meanwhile.
func (c *Collector) finishLater(ctx context.Context, sp *spooled, err error) {
	c.retries.Failed(sp.name.String(), nil, err)
	pause := sp.pause.Next()
	c.group.Go(func() error {
		if err := retry.Sleep(ctx, pause); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.spool.due = append(c.spool.due, sp)
		c.feed()
		return nil
	})
}

// finish takes one segment into the archive.
func (c *Collector) finish(ctx context.Context, sp *spooled) error {
	if err := c.seal(sp); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := c.endColumns(ctx, sp); err != nil {
		return err
	}
	c.mu.Lock()
	local, pieces := sp.path, len(sp.pieces)
	if pieces == 0 {
		c.spool.drop(sp)
	}
	c.mu.Unlock()
	if pieces > 0 {
		name, err := c.archiveName(sp)
		if err == nil {
			err = c.noteUnmarked(sp, name)
		}
		if err != nil {
			return err
		}
		if err := c.cfg.Archive.Store(ctx, local, name); err != nil {
			return fmt.Errorf("archive: store %s: %w", name, err)
		}
		c.Counters.Segments.Add(1)
	}
	c.retries.Recovered(sp.name.String(), nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	sp.archived = true
	return nil
}

// seal gives the segment its final name; one that could not be written any more
// is made whole first.
func (c *Collector) seal(sp *spooled) error {
	sp.use.Lock()
	defer sp.use.Unlock()
	if sp.writer == nil {
		return nil
	}
	c.mu.Lock()
	broken := sp.broken
	c.mu.Unlock()
	if !broken {
		sealed, err := sp.writer.Seal()
		if err == nil {
			c.sealed(sp, sealed)
			return nil
		}
		c.mu.Lock()
		sp.broken = true
		c.mu.Unlock()
		if !c.cfg.Patient {
			return err
		}
		c.cfg.Log.Warn("segment seal failed, recovering the segment", "segment", sp.name, "err", err)
	}
	if err := sp.writer.Close(); err != nil { // what is on disk counts, and Recover looks
		c.cfg.Log.Warn("cannot close a failed segment, recovering it from disk", "segment", sp.name, "err", err)
	}
	return c.mend(sp)
}

// mend recovers a segment after a failed write or sync. What of it is not on
// disk was not received after all.
func (c *Collector) mend(sp *spooled) error {
	open := sp.writer.Path()
	sealed := strings.TrimSuffix(open, segment.OpenSuffix)
	if _, err := c.cfg.FS.Stat(sealed); err == nil { // it failed after its last step
		if err := c.cfg.FS.SyncDir(filepath.Dir(sealed)); err != nil {
			return err
		}
		c.sealed(sp, sealed)
		return nil
	}
	found, err := segment.Recover(c.cfg.FS, open, segment.RecoverOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		err, found.Removed = nil, true
	}
	if err != nil {
		return err
	}
	c.keepOnly(sp, found.Members)
	if found.Removed {
		c.sealed(sp, "")
		return nil
	}
	if sealed, err = segment.Seal(c.cfg.FS, open); err != nil {
		return err
	}
	c.sealed(sp, sealed)
	return nil
}

// keepOnly forgets the pieces that are not among the members.
func (c *Collector) keepOnly(sp *spooled, members []segment.Member) {
	whole := map[place]bool{}
	for _, m := range members {
		whole[place{m.Stream, m.Range}] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := []*piece{}
	for _, p := range sp.pieces {
		if whole[place{p.stream.tracked.ID, p.Range}] {
			kept = append(kept, p)
			continue
		}
		p.in = nil
		p.stream.received.Remove(p.Range)
		if !p.tabled {
			sp.untabled--
		}
		p.stream.held--
		sp.bytes -= p.member.Bytes
		c.spool.grow(sp, -p.member.Bytes, -1)
		c.dropped++
	}
	sp.pieces = kept
}

// sealed notes that the segment is whole, on disk, under its final name.
func (c *Collector) sealed(sp *spooled, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sp.writer, sp.path, sp.sealedAt = nil, path, c.cfg.Now()
	c.spool.writers--
	for _, p := range sp.pieces {
		p.stream.synced.Add(p.Range)
	}
	sp.fresh = nil
	c.announce()
}

// archiveName returns the name of a segment's file in the archive.
func (c *Collector) archiveName(sp *spooled) (string, error) {
	return c.nameIn(c.cfg.Naming, sp, ".log.gz")
}

// storedName is what the files of a segment in the archive and in Columns are called,
// without their suffix.
func (c *Collector) storedName(n segment.Name) string {
	return fmt.Sprintf("access.%s-%06d", c.cfg.Checkpoint.Collector(), n.Seq)
}

// nameIn returns a segment's file below a pattern's root. It is made from the segment
// alone, its name and the labels in it, so that storing it again gives the same name.
func (c *Collector) nameIn(pattern Directory, sp *spooled, suffix string) (string, error) {
	n := sp.name
	start, err := time.Parse(periodLayout[:len(n.Period)], n.Period)
	if err != nil {
		return "", err
	}
	dir, err := pattern.Expand(start, n.Host, sp.labels)
	if err != nil {
		return "", err
	}
	return path.Join(filepath.ToSlash(dir), c.storedName(n)+suffix), nil
}

// place is where a piece stands.
type place struct {
	stream schema.StreamID
	schema.Range
}
