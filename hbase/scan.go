package hbase

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"sluice/schema"
)

const (
	// scanBytes bounds the blocks that a scan's ranges hold. A range has up to three: one that is
	// read, one that waits, one that is being received.
	scanBytes     = 12 << 20
	minBlockBytes = 32 << 10
	maxBlockBytes = 2 << 20
)

// Scan yields the rows that s selects in the order of their time, and rows of one time in the order
// of their streams and offsets; s.Reverse is exactly the reverse order. Servers apply s.Filter as
// far as they can; they exclude only rows that it does not select, and s.Limit is ignored with it.
// A row and its bytes are valid until the next one is requested.
//
// The ranges of the salts are read concurrently, each region in its state when the scan reaches it;
// rows that were put before the scan began are all seen. A call to a failing server is retried
// until ctx ends. The scan ends with ctx, after one error, or when the consumer stops, and holds no
// resources after that.
func (t *Table) Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error] {
	return func(yield func(*schema.Row, error) bool) {
		if err := t.scan(ctx, s, yield); err != nil {
			yield(nil, fmt.Errorf("hbase: scan %s: %w", t.url.Table, err))
		}
	}
}

func (t *Table) scan(ctx context.Context, s schema.Scan, yield func(*schema.Row, error) bool) error {
	if err := t.writer.flush(ctx); err != nil {
		return err
	}
	s.From = max(s.From, 0)
	if s.To > 0 && s.To <= s.From || s.Streams != nil && len(s.Streams) == 0 {
		return nil
	}
	ranges := t.layout.Ranges(s.From, s.To)
	filter, exact := t.filter(s)
	o := scanOrder{
		filter: filter, reverse: s.Reverse, family: t.layout.Family, columns: t.columns(s),
		blockBytes: min(max(scanBytes/3/len(ranges), minBlockBytes), maxBlockBytes),
	}
	if s.Filter == nil && exact {
		o.limit = s.Limit
	}
	m := merge{layout: t.layout, reverse: s.Reverse, streams: streamSet(s.Streams)}
	return t.ranges(ctx, ranges, o, func(cursors []*cursor) error {
		return m.run(ctx, cursors, s, yield)
	})
}

// ranges reads ranges concurrently while do reads their cursors.
func (t *Table) ranges(ctx context.Context, ranges []schema.KeyRange, o scanOrder, do func([]*cursor) error) error {
	inner, cancel := context.WithCancel(ctx)
	g, inner := errgroup.WithContext(inner)
	cursors := make([]*cursor, len(ranges))
	for i, r := range ranges {
		scan := &rangeScan{table: t, order: &o, start: r.Start, stop: r.Stop, out: make(chan *block, 1)}
		cursors[i] = &cursor{blocks: scan.out}
		g.Go(func() error { return scan.run(inner) })
	}
	err := do(cursors)
	cancel()
	for _, c := range cursors {
		c.close()
	}
	if e := g.Wait(); err == errRangeEnded {
		return e // the range has the cause of its end
	}
	return err
}

func streamSet(ids []schema.StreamID) map[schema.StreamID]bool {
	if ids == nil {
		return nil
	}
	set := make(map[schema.StreamID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// columns returns the cells that servers return: nil for all, as for the single cell of a packed
// row.
func (t *Table) columns(s schema.Scan) []string {
	if s.Cells == nil || t.layout.Name == schema.LayoutPacked {
		return nil
	}
	columns := filterColumns(t.layout, s.Filter, slices.Clone(s.Cells))
	slices.Sort(columns)
	return slices.Compact(columns)
}

// Streams reads the stream directory, in the order of the streams' ids.
func (t *Table) Streams(ctx context.Context) ([]schema.StreamEntry, error) {
	streams, err := t.streams(ctx)
	if err != nil {
		return nil, fmt.Errorf("hbase: streams of %s: %w", t.url.Table, err)
	}
	return streams, nil
}

func (t *Table) streams(ctx context.Context) (streams []schema.StreamEntry, err error) {
	if err := t.writer.flush(ctx); err != nil {
		return nil, err
	}
	o := scanOrder{family: t.layout.Family, blockBytes: maxBlockBytes}
	err = t.ranges(ctx, []schema.KeyRange{t.layout.DirectoryRange()}, o, func(cursors []*cursor) error {
		var names names
		var row schema.Row
		for {
			ok, err := cursors[0].next(ctx)
			if err != nil || !ok {
				return err
			}
			if err := cursors[0].read(&row, &names); err != nil {
				return err
			}
			e, err := t.layout.ParseStream(&row)
			if err != nil {
				return err
			}
			streams = append(streams, e)
		}
	})
	return streams, err
}
