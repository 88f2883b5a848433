package soak

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"sluice/archive/localdir"
	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// Scan yields the rows of the logs' lines, in the order of a table. The lines are generated again
// from the seeds, so that they need not be kept.
func (l *logs) Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error] {
	return func(yield func(*schema.Row, error) bool) {
		l.mu.Lock()
		logs := slices.Clone(l.done)
		l.mu.Unlock()
		logs = slices.DeleteFunc(logs, func(x *log) bool { return s.Streams != nil && !slices.Contains(s.Streams, x.stream.ID) })
		slices.SortFunc(logs, func(a, b *log) int { return a.start.Compare(b.start) })
		// Rows without a time come first, of all logs; then each log has its own hours.
		for _, dated := range []bool{false, true} {
			for _, x := range logs {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				if !x.yield(l.layout, s, dated, yield) {
					return
				}
			}
		}
	}
}

// yield yields the selected rows of the log, either those with or those without a time; false: the
// scan has ended.
func (l *log) yield(layout schema.Layout, s schema.Scan, dated bool, yield func(*schema.Row, error) bool) bool {
	rows, err := l.rows(layout)
	if err != nil {
		yield(nil, err)
		return false
	}
	list := make([]schema.Row, rows.Len())
	for i := range list {
		list[i] = schema.Row{Key: rows.Key(i), Cells: rows.Cells(i)}
		if err := layout.ParseKey(&list[i]); err != nil {
			yield(nil, err)
			return false
		}
	}
	slices.SortFunc(list, func(a, b schema.Row) int {
		return a.Order().Compare(b.Order())
	})
	for i := range list {
		row := &list[i]
		if row.Time != 0 != dated || row.Time < s.From || s.To > 0 && row.Time >= s.To {
			continue
		}
		if !yield(row, nil) {
			return false
		}
	}
	return true
}

// rows returns the rows of the log.
func (l *log) rows(layout schema.Layout) (*schema.Rows, error) {
	format, err := parse.OfStream(&l.stream)
	if err != nil {
		return nil, err
	}
	text, err := l.text()
	if err != nil {
		return nil, err
	}
	encoder := layout.NewRowEncoder(&l.stream, format.Fields())
	rows := new(schema.Rows)
	var rec schema.Record
	offset := int64(0)
	for line := range bytes.Lines(text) {
		format.Parse(bytes.TrimSuffix(line, []byte("\n")), &rec)
		encoder.Append(rows, offset, &rec)
		offset += int64(len(line))
	}
	return rows, nil
}

// reference is a columnar table in a directory, read as rows of another layout.
type reference struct {
	*columnar.Snapshot
	layout   schema.Layout
	encoders map[schema.StreamID]*referenceStream
}

type referenceStream struct {
	format  *parse.Format
	encoder *schema.RowEncoder
}

func openReference(ctx context.Context, dir string, layout schema.Layout) (*reference, error) {
	files, err := localdir.OpenToRead(dir)
	if err != nil {
		return nil, err
	}
	snapshot, err := columnar.OpenTable(files, columnar.TableOptions{}).Snapshot(ctx, columnar.Bounds{})
	if err != nil {
		return nil, err
	}
	r := &reference{Snapshot: snapshot, layout: layout, encoders: map[schema.StreamID]*referenceStream{}}
	streams, err := snapshot.Streams(ctx)
	if err != nil {
		return nil, errors.Join(err, snapshot.Close())
	}
	for i := range streams {
		format, err := parse.OfStream(&streams[i].Stream)
		if err != nil {
			return nil, errors.Join(err, snapshot.Close())
		}
		r.encoders[streams[i].ID] = &referenceStream{format, layout.NewRowEncoder(&streams[i].Stream, format.Fields())}
	}
	return r, nil
}

// Scan yields the rows of the lines.
func (r *reference) Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error] {
	return func(yield func(*schema.Row, error) bool) {
		var rows schema.Rows
		var rec schema.Record
		for stored, err := range r.Snapshot.Scan(ctx, s) {
			if err != nil {
				yield(nil, err)
				return
			}
			line, _ := stored.Cell(schema.LogbodyField)
			x := r.encoders[stored.Stream]
			rows.Reset()
			x.format.Parse(line, &rec)
			x.encoder.Append(&rows, stored.Offset, &rec)
			row := schema.Row{Key: rows.Key(0), Cells: rows.Cells(0)}
			if err := r.layout.ParseKey(&row); err != nil {
				yield(nil, err)
				return
			}
			if !yield(&row, nil) {
				return
			}
		}
	}
}
