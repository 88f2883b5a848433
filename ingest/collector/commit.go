package collector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/ingest/segment"
	"sluice/schema"
)

// rowWriter is what a committer needs of a tableWriter.
type rowWriter interface {
	// work puts some rows, and reports whether there were any; await waits for rows.
	work(ctx context.Context) (worked bool, err error)
	await(ctx context.Context) error
	putEntries(ctx context.Context, entries []schema.StreamEntry) error
	flush(ctx context.Context) error
}

// committer saves in the checkpoint what is stored, and removes the segments of it. requestFlush
// and pending may be called concurrently, the other methods by one goroutine.
type committer struct {
	cfg     *Config
	life    *lifecycle
	streams *streams
	spool   *spool
	table   rowWriter

	mu       sync.Mutex
	flushing bool // the table's rows are to be made durable
	draining bool // Close waits for what is left: Config.CommitBytes no longer applies
	// forgetting: files of what is stored are being removed.
	forgetting bool
}

// run puts rows, those that were received last first, and commits what is complete.
func (c *committer) run(ctx context.Context) error {
	for {
		worked, err := c.table.work(ctx)
		if err == nil && !worked {
			if err = c.tick(ctx); err == nil {
				err = c.table.await(ctx)
			}
		}
		if err == nil {
			err = c.commit(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// requestFlush asks for a flush of the table and the removal of what is stored.
func (c *committer) requestFlush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushing = true
}

// drain asks for a flush as requestFlush does, and for commits without delay from now on.
func (c *committer) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushing, c.draining = true, true
}

// pending reports whether a segment that was rolled is not stored, or a flush or the removal of
// files is not finished.
func (c *committer) pending() bool {
	if slices.ContainsFunc(c.spool.rolledSegments(), func(sp *spooled) bool { return !sp.isStored() }) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushing || c.forgetting
}

// tick does what requestFlush asked for.
func (c *committer) tick(ctx context.Context) error {
	c.mu.Lock()
	flush := c.flushing
	c.mu.Unlock()
	if !flush {
		return nil
	}
	if err := c.giveUpHoles(ctx); err != nil {
		return err
	}
	if err := c.forget(ctx); err != nil { // what KeepLocal kept until now
		return err
	}
	if err := c.table.flush(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	c.flushing = false
	c.mu.Unlock()
	c.life.announce()
	return nil
}

// commit marks segments as stored that are in the archive, the table and Columns. The order is what
// guarantees that no line is lost: first the archive has the file, Columns has the Parquet file and
// the rows are durable; then the checkpoint is saved; and only then is the local file removed.
// After a crash between two steps the earlier ones are repeated, which changes nothing.
func (c *committer) commit(ctx context.Context) error {
	ready := c.ready()
	if len(ready) == 0 || c.early(ready) {
		return nil
	}
	if err := c.table.flush(ctx); err != nil {
		return err
	}
	var batches []*spooledBatch
	for _, sp := range ready {
		batches = append(batches, sp.content()...)
	}
	entries := c.streams.advance(batches)
	// The rows of the stream directory are flushed too: after a crash they would stay old.
	if err := c.table.putEntries(ctx, entries); err != nil {
		return err
	}
	if err := c.table.flush(ctx); err != nil {
		return err
	}
	if err := c.life.attempt(ctx, "checkpoint", c.cfg.Checkpoint.Save); err != nil {
		return err
	}
	c.mu.Lock()
	c.forgetting = true // before a segment is stored: pending looks at that first
	c.mu.Unlock()
	for _, sp := range ready {
		sp.set(func() { sp.stored, sp.storedAt = true, c.cfg.Now() })
	}
	return c.forget(ctx)
}

// early reports whether the commit waits for more segments: see Config.CommitBytes. It does not
// wait where that could fill the spool.
func (c *committer) early(ready []*spooled) bool {
	if c.cfg.CommitBytes == 0 {
		return false
	}
	c.mu.Lock()
	draining := c.draining
	c.mu.Unlock()
	var bytes int64
	for _, sp := range ready {
		for _, p := range sp.content() {
			bytes += p.Len()
		}
	}
	return bytes < c.cfg.CommitBytes && c.spool.hasRoom() && !draining
}

// ready are the segments that the archive and Columns have and whose rows were put.
func (c *committer) ready() []*spooled {
	return slices.DeleteFunc(c.spool.rolledSegments(), func(sp *spooled) bool {
		sp.mu.Lock()
		defer sp.mu.Unlock()
		return !sp.archived || sp.stored || sp.untabled > 0 || !sp.columned && c.cfg.Columns != nil
	})
}

// forget removes the files of segments that the checkpoint has all of, or marks those that are
// kept for a while.
func (c *committer) forget(ctx context.Context) error {
	kept := c.spool.rolledSegments()
	hasRoom := c.spool.hasRoom()
	for _, sp := range kept {
		stored, age, path := sp.age(c.cfg.Now())
		switch {
		case !stored || !c.covered(sp):
		case age >= c.keeps(sp, hasRoom):
			if err := c.life.attempt(ctx, "spool", func() error { return remove(c.cfg.FS, path) }); err != nil {
				return fmt.Errorf("spool: remove what is stored: %w", err)
			}
			c.spool.drop(sp)
		case !strings.HasSuffix(path, segment.StoredSuffix):
			if err := c.life.attempt(ctx, "spool", func() error { return c.markStored(sp) }); err != nil {
				return fmt.Errorf("spool: mark what is stored: %w", err)
			}
		}
	}
	c.mu.Lock()
	c.forgetting = false
	c.mu.Unlock()
	c.life.announce()
	return nil
}

// markStored gives a segment's file the name of one that is stored, so that the next start does
// not archive it again and a repair of the archive need not wait for it.
func (c *committer) markStored(sp *spooled) error {
	sp.use.Lock() // no other goroutine is about to open it
	defer sp.use.Unlock()
	from := sp.file()
	path := from + segment.StoredSuffix
	if err := c.cfg.FS.Rename(from, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	sp.set(func() { sp.path = path })
	return nil
}

// covered reports whether everything before the segment's spooled batches is stored too.
func (c *committer) covered(sp *spooled) bool {
	for _, p := range sp.content() {
		if p.End > c.cfg.Checkpoint.Stored(p.stream.tracked) {
			return false
		}
	}
	return true
}

// keeps returns how long a segment stays after it is stored. Segments that are kept for comparison
// are removed earlier if the spool needs the room.
func (c *committer) keeps(sp *spooled, hasRoom bool) time.Duration {
	if hasRoom && slices.ContainsFunc(sp.content(), func(p *spooledBatch) bool { return p.stream.tracked.Sparse }) {
		return max(c.cfg.KeepLocal, sparseKept)
	}
	return c.cfg.KeepLocal
}

// giveUpHoles records as gaps the ranges that stored segments have waited for too long, so that the
// segments do not stay in the spool. The checkpoint has the gaps before the files are removed.
func (c *committer) giveUpHoles(ctx context.Context) error {
	found := false
	for _, sp := range c.spool.rolledSegments() {
		if stored, age, _ := sp.age(c.cfg.Now()); !stored || age < holeAfter {
			continue
		}
		for _, p := range sp.content() {
			if c.streams.giveUpBefore(p) {
				found = true
				t, _ := c.cfg.origin(p.stream.tracked)
				c.cfg.Log.Warn("lines were never received, no longer waiting for them", "host", t.Host, "stream", t.ID, "path", t.Path, "before", p.Start)
			}
		}
	}
	if !found {
		return nil
	}
	return c.life.attempt(ctx, "checkpoint", c.cfg.Checkpoint.Save)
}
