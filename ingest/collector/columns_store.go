package collector

import (
	"context"
	"errors"
	"fmt"

	"sluice/table/columnar"
)

// columnStorer stores the Parquet files of sealed segments in Columns. Several goroutines call run.
type columnStorer struct {
	cfg      *Config
	life     *lifecycle
	queue    *columnQueue
	streams  *streams
	counters *Counters
	nudge    func() // wakes the goroutine that commits: a segment may be complete
}

// run stores the Parquet files of queued segments until ctx ends, or, if the collector does not
// retry failures, until an error.
func (c *columnStorer) run(ctx context.Context) error {
	for {
		sp := c.queue.next()
		if sp == nil {
			select {
			case <-c.queue.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		began := c.cfg.Now()
		err := c.store(ctx, sp)
		c.queue.done(sp, c.cfg.Now().Sub(began))
		c.life.announce()
		if err = c.life.retryLater(ctx, c.retryName(sp), &sp.columnPause, err, func() { c.queue.add(sp) }); err != nil {
			return err
		}
		c.nudge()
	}
}

// retryName returns the name under which State reports a failure to store a segment's Parquet file.
func (c *columnStorer) retryName(sp *spooled) string {
	if c.cfg.Table == nil {
		return "table: " + sp.name.String()
	}
	return "columnar: " + sp.name.String()
}

// store stores the Parquet file of a sealed segment in Columns, and removes the local file. It can
// be repeated: the file is made from the segment alone, and has the same bytes each time.
func (c *columnStorer) store(ctx context.Context, sp *spooled) error {
	// A segment that an earlier process left may be stored already.
	if c.streams.unstored(sp.content()) {
		name, err := c.cfg.nameIn(c.cfg.ColumnNaming, sp, columnar.Suffix)
		if err != nil {
			return err
		}
		if sp.columnsPath == "" {
			if err := c.make(ctx, sp); err != nil {
				return fmt.Errorf("columns: make %s: %w", name, err)
			}
		}
		if err := c.cfg.Columns.Store(ctx, sp.columnsPath, name); err != nil {
			return fmt.Errorf("columns: store %s: %w", name, err)
		}
	}
	if sp.columnsPath != "" {
		if err := remove(c.cfg.FS, sp.columnsPath); err != nil {
			return fmt.Errorf("spool: remove a Parquet file that is stored: %w", err)
		}
	}
	c.life.retries.Recovered(c.retryName(sp), nil)
	sp.columnsPath = ""
	sp.set(func() { sp.columned = true })
	if c.cfg.Table == nil {
		for _, p := range sp.content() {
			if !p.earlier {
				c.counters.Rows.Add(p.lines)
			}
		}
	}
	return nil
}

// make writes the Parquet file of a sealed segment from the segment.
func (c *columnStorer) make(ctx context.Context, sp *spooled) (err error) {
	from, err := sp.open(c.cfg.FS)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to := localFile{fsys: c.cfg.FS, path: c.cfg.columnsPath(sp)}
	_, err = columnar.FromSegment(ctx, from, info.Size(), &to, c.cfg.columnOptions(sp), columnar.EncoderOptions{AllLines: c.cfg.AllLines})
	if err == nil {
		err = to.Close()
	}
	if err != nil {
		return errors.Join(err, to.remove())
	}
	sp.columnsPath = to.path
	return nil
}
