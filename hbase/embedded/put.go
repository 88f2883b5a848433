package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"sluice/schema"
)

// batchBytes is how much of a block of rows goes to Pebble at once.
const batchBytes = 512 << 10

// Put writes the rows; those already there are replaced by themselves. They can be
// scanned when it returns, and are durable when the next Flush has returned nil:
// there is no write-ahead log, so after a crash whatever was not flushed must be
// Put again. The rows' bytes are copied. It waits while the disk is behind, and
// then ends with ctx.
//
// Any error but ctx's lasts: the disk failed a write, and nothing more is taken until
// Reopen has succeeded and what was not flushed is Put again.
func (t *Table) Put(ctx context.Context, rows *schema.Rows) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for next := 0; next < rows.Len(); {
		if err := t.ready(ctx); err != nil {
			return fmt.Errorf("embedded: put into %s: %w", t.dir, err)
		}
		n, err := t.apply(rows, next)
		if err != nil {
			return fmt.Errorf("embedded: put into %s: %w", t.dir, err)
		}
		next += n
	}
	return nil
}

// apply writes rows from next on, as many as make a batch.
func (t *Table) apply(rows *schema.Rows, next int) (n int, err error) {
	b := t.db.NewBatchWithSize(batchBytes)
	defer func() {
		if e := b.Close(); err == nil {
			err = e
		}
	}()
	for ; next+n < rows.Len() && b.Len() < batchBytes; n++ {
		t.value = appendValue(t.value[:0], rows.Cells(next+n))
		if err := b.Set(rows.Key(next+n), t.value, nil); err != nil {
			return 0, err
		}
	}
	t.unflushed += b.Len()
	t.dirty = true
	if err := b.Commit(pebble.NoSync); err != nil {
		return 0, err
	}
	return n, t.disk.failure()
}

// ready waits until there is room for a batch.
func (t *Table) ready(ctx context.Context) error {
	if t.disk == nil {
		return ErrClosed
	}
	if err := t.disk.failure(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.unflushed < rotateBytes {
		return nil
	}
	// At most one memtable is filled while one is written.
	if err := t.wait(ctx, t.flushing); err != nil {
		return err
	}
	// Sublevels that no compaction is at work on are none that it would make fewer:
	// tables that overlap only at their ends pile up without being deep anywhere.
	for t.compacting.Load() > 0 && t.db.Metrics().Levels[0].Sublevels >= maxSublevels {
		if err := t.wait(ctx, t.compacted); err != nil {
			return err
		}
	}
	return t.rotate()
}

// rotate starts the next memtable and the writing of this one.
func (t *Table) rotate() error {
	done, err := t.db.AsyncFlush()
	if err != nil {
		return err
	}
	t.flushing, t.unflushed = done, 0
	return nil
}

// wait waits for something to happen to event; nil has happened.
func (t *Table) wait(ctx context.Context, event <-chan struct{}) error {
	if event == nil {
		return nil
	}
	select {
	case <-event: // and did it go well?
		return t.disk.failure()
	case <-t.disk.failed:
		return t.disk.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Flush returns nil when every row that was Put before is on the disk, synced.
// Errors are as Put's.
func (t *Table) Flush(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.flush(ctx); err != nil {
		return fmt.Errorf("embedded: flush %s: %w", t.dir, err)
	}
	return nil
}

func (t *Table) flush(ctx context.Context) error {
	if t.disk == nil {
		return ErrClosed
	}
	if err := t.disk.failure(); err != nil {
		return err
	}
	if !t.dirty {
		return nil
	}
	if err := t.rotate(); err != nil {
		return err
	}
	if err := t.wait(ctx, t.flushing); err != nil {
		return err
	}
	t.dirty = false
	return nil
}
