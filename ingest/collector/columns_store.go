package collector

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"sluice/retry"
	"sluice/table/columnar"
)

// add gives a sealed segment to those that store. Collector.mu is held.
func (q *columnQueue) add(sp *spooled) {
	q.due = append(q.due, sp)
	q.rouse()
}

// rouse wakes one of those that store.
func (q *columnQueue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next takes the segment of the host that has the fewest being stored and on which the
// least time was spent; nil: there is none. Collector.mu is held.
func (q *columnQueue) next() *spooled {
	if len(q.due) == 0 {
		clear(q.spent) // what was spent counts as long as somebody waits
		return nil
	}
	best := 0
	for i, sp := range q.due {
		a, b := sp.name.Host, q.due[best].name.Host
		if q.busy[a] < q.busy[b] || q.busy[a] == q.busy[b] && q.spent[a] < q.spent[b] {
			best = i
		}
	}
	sp := q.due[best]
	q.due = slices.Delete(q.due, best, best+1)
	q.busy[sp.name.Host]++
	if len(q.due) > 0 {
		q.rouse()
	}
	return sp
}

// done notes that a segment was stored, or not, after so long. Collector.mu is held.
func (q *columnQueue) done(sp *spooled, took time.Duration) {
	host := sp.name.Host
	q.spent[host] += took
	if q.busy[host]--; q.busy[host] == 0 {
		delete(q.busy, host)
	}
}

// storeColumns gives the Parquet files of sealed segments to Columns.
func (c *Collector) storeColumns(ctx context.Context) error {
	for {
		c.mu.Lock()
		sp := c.columns.next()
		c.mu.Unlock()
		if sp == nil {
			select {
			case <-c.columns.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		began := c.cfg.Now()
		err := c.storeColumnsOf(ctx, sp)
		c.mu.Lock()
		c.columns.done(sp, c.cfg.Now().Sub(began))
		c.announce()
		c.mu.Unlock()
		if err != nil && (!c.cfg.Patient || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			c.storeColumnsLater(ctx, sp, err)
		}
		c.nudge()
	}
}

// columnsTrouble is what State calls the failure to store a segment's Parquet file.
func (c *Collector) columnsTrouble(sp *spooled) string {
	if c.cfg.Table == nil {
		return "table: " + sp.name.String()
	}
	return "columnar: " + sp.name.String()
}

// storeColumnsLater tries a segment again after a while; others are stored meanwhile.
func (c *Collector) storeColumnsLater(ctx context.Context, sp *spooled, err error) {
	pause := sp.columnPause.Next()
	c.retries.Failed(c.columnsTrouble(sp), nil, err)
	c.group.Go(func() error {
		if err := retry.Sleep(ctx, pause); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.columns.add(sp)
		return nil
	})
}

// storeColumnsOf takes the Parquet file of a sealed segment to Columns. It can be done
// again: the file is made from the segment alone, and has the same bytes each time.
func (c *Collector) storeColumnsOf(ctx context.Context, sp *spooled) error {
	if c.needsColumns(sp) {
		name, err := c.nameIn(c.cfg.ColumnNaming, sp, columnar.Suffix)
		if err != nil {
			return err
		}
		if sp.columnsPath == "" {
			if err := c.makeColumns(ctx, sp); err != nil {
				return fmt.Errorf("columns: make %s: %w", name, err)
			}
		}
		if err := c.cfg.Columns.Store(ctx, sp.columnsPath, name); err != nil {
			return fmt.Errorf("columns: store %s: %w", name, err)
		}
	}
	if sp.columnsPath != "" {
		if err := c.spool.remove(sp.columnsPath); err != nil {
			return fmt.Errorf("spool: remove a Parquet file that is stored: %w", err)
		}
	}
	c.retries.Recovered(c.columnsTrouble(sp), nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	sp.columned, sp.columnsPath = true, ""
	if c.cfg.Table == nil {
		for _, p := range sp.pieces {
			if !p.earlier {
				c.Counters.Rows.Add(p.lines)
			}
		}
	}
	return nil
}

// needsColumns: not all of a segment is stored. One that an earlier process left may be.
func (c *Collector) needsColumns(sp *spooled) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(sp.pieces, func(p *piece) bool { return len(p.stream.stored.Missing(p.Range)) > 0 })
}

// makeColumns makes the Parquet file of a sealed segment from the segment.
func (c *Collector) makeColumns(ctx context.Context, sp *spooled) (err error) {
	c.mu.Lock()
	path := sp.path
	c.mu.Unlock()
	from, err := c.cfg.FS.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to := localFile{fsys: c.cfg.FS, path: c.columnsPath(sp)}
	_, err = columnar.FromSegment(ctx, from, info.Size(), &to, c.columnOptions(sp), columnar.EncoderOptions{AllLines: c.cfg.AllLines})
	if err == nil {
		err = to.Close()
	}
	if err != nil {
		return errors.Join(err, to.remove())
	}
	sp.columnsPath = to.path
	return nil
}
