package columnar

import (
	"context"
	"iter"

	"sluice/schema"
)

// Layout is the layout of the rows that Scan yields.
func (s *Snapshot) Layout() schema.Layout { return rowLayout() }

func rowLayout() schema.Layout {
	return schema.Layout{Name: schema.LayoutTyped, Family: "l", Salts: 1}
}

// Scan yields the selected rows, each with its logbody only, in the order of time, stream and
// offset; scan.Reverse is exactly the reverse order. scan.Filter excludes row groups only, and
// scan.Limit is ignored with a filter. A row and its bytes are valid until the next one is
// requested.
func (s *Snapshot) Scan(ctx context.Context, scan schema.Scan) iter.Seq2[*schema.Row, error] {
	return func(yield func(*schema.Row, error) bool) {
		w := Want{From: max(scan.From, 0), To: scan.To, Streams: scan.Streams, Filter: scan.Filter}
		if w.To > 0 && w.To <= w.From {
			return
		}
		layout := rowLayout()
		row := schema.Row{Cells: []schema.Cell{{Qualifier: schema.LogbodyField}}}
		n := 0
		for line, err := range s.Lines(ctx, w, scan.Reverse, nil) {
			if err != nil {
				yield(nil, err)
				return
			}
			row.Time, row.Stream, row.Offset = line.Time, line.Stream.ID, line.Offset
			row.Key = layout.AppendKey(row.Key[:0], line.Time, line.Stream.ID, line.Offset)
			row.Cells[0].Value = line.Bytes
			if !yield(&row, nil) {
				return
			}
			if n++; n == scan.Limit && scan.Filter == nil {
				return
			}
		}
	}
}
