package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"sluice/schema"
)

// Scan yields the rows that s asks for in the order of their time, and rows of one
// time in the order of their streams and offsets; s.Reverse is exactly the other
// way round. s.Filter is ignored, and s.Limit with it. A row and its bytes are
// valid until the next one is asked for.
//
// The scan sees what was Put when it began. It ends when ctx does, after one error
// or when the consumer stops, and holds nothing after that.
func (t *Table) Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error] {
	return func(yield func(*schema.Row, error) bool) {
		if err := t.scan(ctx, s, yield); err != nil {
			yield(nil, fmt.Errorf("embedded: scan %s: %w", t.dir, err))
		}
	}
}

// scan returns nil when there are no more rows, and when yield wants none.
func (t *Table) scan(ctx context.Context, s schema.Scan, yield func(*schema.Row, error) bool) (err error) {
	if t.db == nil {
		return ErrClosed
	}
	s.From = max(s.From, 0)
	if s.To > 0 && s.To <= s.From {
		return nil
	}
	m, err := t.newMerge(ctx, s)
	stopped := false
	defer func() {
		if e := m.close(); err == nil && !stopped {
			err = e
		}
	}()
	var row schema.Row
	var d decoder
	for n := 0; err == nil && len(m.cursors) > 0; err = m.next() {
		if err := m.cursors[0].read(&row, &d); err != nil {
			return err
		}
		if !yield(&row, nil) {
			stopped = true
			return nil
		}
		if n++; n == s.Limit && s.Filter == nil {
			return nil
		}
	}
	return err
}

// Streams reads the stream directory, in the order of the streams' ids.
func (t *Table) Streams(ctx context.Context) ([]schema.StreamEntry, error) {
	streams, err := t.streams(ctx)
	if err != nil {
		return nil, fmt.Errorf("embedded: streams of %s: %w", t.dir, err)
	}
	return streams, nil
}

func (t *Table) streams(ctx context.Context) (streams []schema.StreamEntry, err error) {
	if t.db == nil {
		return nil, ErrClosed
	}
	r := t.layout.DirectoryRange()
	it, err := t.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: r.Start, UpperBound: r.Stop})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var d decoder
	var row schema.Row
	for it.First(); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		row.Key = it.Key()
		if err := d.decode(&row, value); err != nil {
			return nil, err
		}
		e, err := t.layout.ParseStream(&row)
		if err != nil {
			return nil, err
		}
		streams = append(streams, e)
	}
	return streams, it.Error()
}
