package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"sluice/archive/index"
	"sluice/schema"
)

// pinpointLines is the number of lines that are compared at a time: about 30 MB.
const pinpointLines = 200_000

// differing returns the chunks with different sums, by stream and position.
func differing(expected, found tally) []chunk {
	var bad []chunk
	for c, s := range expected {
		if found[c] != s {
			bad = append(bad, c)
		}
	}
	for c := range found {
		if _, ok := expected[c]; !ok {
			bad = append(bad, c)
		}
	}
	slices.SortFunc(bad, func(a, b chunk) int { return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.n, b.n)) })
	return bad
}

// absent estimates how many bytes of log the table has no rows of. Rows that it has and that differ
// are not known yet, and are not counted.
func (a *audit) absent(bad []chunk, expected, found tally) (total int64) {
	for _, c := range bad {
		s, lines, rows := a.streams[c.stream], expected[c].rows, found[c].rows
		if s == nil || s.format == nil || rows >= lines {
			continue
		}
		total += max(0, min(1<<chunkBits, s.Stored-c.n<<chunkBits)) * (lines - rows) / lines
	}
	return total
}

// place is the position of a line.
type place struct {
	stream schema.StreamID
	offset int64
}

// wanted is a line of a chunk with a difference.
type wanted struct {
	digest
	size int64
	ok   bool // the table has its row
	seen bool // the table has a different row with its position and key
	key  string
	line []byte // set if its pattern backtracks, and may have read it in another way
}

// batch is some chunks with differences that are compared together.
type batch struct {
	audit    *audit
	chunks   map[chunk]bool
	streams  []schema.StreamID
	lines    map[place]*wanted
	order    []place
	from, to int64 // times of the lines
	found    int64 // rows that the table has in these chunks
	encoder  *encoder
	reader   *index.Reader
}

// pinpoint compares the chunks with differences line by line. rewrite, if not nil, gets the rows
// that are missing or different in the table.
func (a *audit) pinpoint(ctx context.Context, bad []chunk, expected, found tally, rewrite func(*schema.Rows) error) (err error) {
	r := a.catalog.NewReader()
	defer func() { err = errors.Join(err, r.Close()) }()
	e := a.newEncoder()
	for len(bad) > 0 {
		b := &batch{audit: a, chunks: map[chunk]bool{}, lines: map[place]*wanted{}, from: math.MaxInt64, encoder: e, reader: r}
		lines := int64(0)
		for len(bad) > 0 && lines < pinpointLines {
			c := bad[0]
			bad = bad[1:]
			if a.streams[c.stream] == nil { // rows of an unknown stream
				a.streams[c.stream] = &stream{Stream: Stream{StreamEntry: schema.StreamEntry{Stream: schema.Stream{ID: c.stream}}}}
			}
			if a.streams[c.stream].format == nil && len(a.streams[c.stream].ranges) > 0 {
				continue // FormatUnknown
			}
			b.chunks[c] = true
			b.streams = append(b.streams, c.stream)
			lines += expected[c].rows
			b.found += found[c].rows
		}
		b.streams = slices.Compact(b.streams)
		if err := b.run(ctx, rewrite); err != nil {
			return err
		}
	}
	return nil
}

// run compares the lines and rows of the chunks, and calls rewrite.
func (b *batch) run(ctx context.Context, rewrite func(*schema.Rows) error) error {
	if len(b.chunks) == 0 {
		return nil
	}
	err := b.eachLine(ctx, func(s *stream, line []byte, offset int64) error {
		p := place{s.ID, offset}
		rows := &b.encoder.rows
		w := &wanted{digest: b.encoder.hasher.row(rows.Key(0), rows.Cells(0)), size: int64(len(line)), key: string(rows.Key(0))}
		if s.format.Backtracks() {
			w.line = bytes.Clone(line)
		}
		b.lines[p] = w
		b.order = append(b.order, p)
		b.from, b.to = min(b.from, rows.Time(0)), max(b.to, rows.Time(0)+1)
		return nil
	})
	if err != nil {
		return err
	}
	if err := b.match(ctx); err != nil {
		return err
	}
	for _, p := range b.order {
		if w := b.lines[p]; !w.ok && !w.seen {
			s := b.audit.streams[p.stream]
			b.audit.differ(s, Difference{RowMissing, schema.Range{Start: p.offset, End: p.offset + w.size}, ""})
		}
	}
	if rewrite == nil {
		return nil
	}
	return b.rewrite(ctx, rewrite)
}

// rewrite encodes the rows again that were missing or different.
func (b *batch) rewrite(ctx context.Context, put func(*schema.Rows) error) error {
	rows := &b.encoder.rows
	for _, id := range b.streams {
		s := b.audit.streams[id]
		if s.format == nil {
			continue
		}
		err := b.eachRange(ctx, s, func(data []byte, start int64) error {
			rows.Reset()
			for offset, line := range index.Lines(data, start) {
				w, m := b.lines[place{id, offset}], s.missingAt(offset)
				if w != nil && !w.ok && (m == nil || !m.disputed) {
					b.encoder.line(s, line, offset)
				}
			}
			if rows.Len() == 0 {
				return nil
			}
			return put(rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachLine calls each with the selected lines of the chunks; b.encoder has the line's row.
func (b *batch) eachLine(ctx context.Context, each func(s *stream, line []byte, offset int64) error) error {
	for _, id := range b.streams {
		s := b.audit.streams[id]
		if s.format == nil {
			continue
		}
		visit := func(data []byte, start int64) error {
			for offset, line := range index.Lines(data, start) {
				if offset >= s.Stored || !b.chunks[chunkOf(id, offset)] || s.pruned.Has(offset) {
					continue
				}
				b.encoder.rows.Reset()
				if !b.encoder.line(s, line, offset) {
					continue
				}
				if err := each(s, line, offset); err != nil {
					return err
				}
			}
			return nil
		}
		if err := b.eachRange(ctx, s, visit); err != nil {
			return err
		}
	}
	return nil
}

// eachRange reads the ranges that overlap the chunks.
func (b *batch) eachRange(ctx context.Context, s *stream, visit func(data []byte, start int64) error) (err error) {
	opened := false
	defer func() {
		if opened {
			err = errors.Join(err, s.log.close())
		}
	}()
	for _, p := range s.ranges {
		if !b.touches(s.ID, p.Range) {
			continue
		}
		if p.member != noMember {
			data, err := b.audit.rangeData(ctx, s, b.reader, p)
			if err == nil {
				err = visit(data, p.Start)
			}
			if err != nil {
				return err
			}
			continue
		}
		if !opened {
			if err := s.log.open(); err != nil {
				return err
			}
			opened = true
		}
		if err := s.log.lines(p.Range, visit); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) touches(id schema.StreamID, r schema.Range) bool {
	for n := r.Start >> chunkBits; n <= (r.End-1)>>chunkBits; n++ {
		if b.chunks[chunk{id, n}] {
			return true
		}
	}
	return false
}

// match scans the table for the chunks' rows: within the times of the lines and, if that does not
// return all of them, everywhere.
func (b *batch) match(ctx context.Context) error {
	scan := b.audit.scan(b.streams)
	if b.from < b.to {
		scan.From, scan.To = max(scan.From, b.from), b.to
		if b.found > 0 {
			seen, err := b.count(ctx, scan)
			if err != nil {
				return err
			}
			if seen < b.found {
				scan = b.audit.scan(b.streams)
			}
		}
	}
	return b.audit.eachRow(ctx, scan, func(row *schema.Row, _ bool) error {
		if !b.chunks[chunkOf(row.Stream, row.Offset)] {
			return nil
		}
		return b.row(ctx, row)
	})
}

// count returns the number of rows of the chunks in a scan.
func (b *batch) count(ctx context.Context, scan schema.Scan) (n int64, err error) {
	scan.Cells = []string{schema.LogbodyField} // no cells would select none
	err = b.audit.eachRow(ctx, scan, func(row *schema.Row, _ bool) error {
		s := b.audit.streams[row.Stream]
		if b.chunks[chunkOf(row.Stream, row.Offset)] && (s == nil || !s.beyond(row.Offset)) {
			n++
		}
		return nil
	})
	return n, err
}

// beyond reports whether a row is not compared, because its line is not stored yet.
func (s *stream) beyond(offset int64) bool { return s.known && offset >= s.Stored }

// row compares one row of the table.
func (b *batch) row(ctx context.Context, row *schema.Row) error {
	s := b.audit.streams[row.Stream]
	if s.beyond(row.Offset) {
		return nil
	}
	w := b.lines[place{row.Stream, row.Offset}]
	switch {
	case w != nil && !w.ok && b.makes(s, w, row):
		w.ok = true
	case w != nil && !w.ok && w.key == string(row.Key):
		w.seen = true
		s.dispute(row.Offset)
		text, err := b.explain(ctx, s, row)
		b.audit.differ(s, Difference{RowDifferent, schema.Range{Start: row.Offset, End: row.Offset + w.size}, text})
		return err
	case s.unproven(row.Offset):
	default:
		s.dispute(row.Offset)
		line, _ := row.Cell(schema.LogbodyField)
		b.audit.differ(s, Difference{RowExtra, schema.Range{Start: row.Offset, End: row.Offset + int64(len(line))}, fmt.Sprintf("row %x", row.Key)})
	}
	return nil
}

// makes reports whether a line makes the row. A pattern that backtracks may have reached its time
// limit for the line when it was stored and not now, or the other way round: either row is correct,
// but only one of them.
func (b *batch) makes(s *stream, w *wanted, row *schema.Row) bool {
	found := b.encoder.hasher.row(row.Key, row.Cells)
	if w.digest == found {
		return true
	}
	return w.line != nil && s.format.Readings(w.line, &b.encoder.rec, func(rec *schema.Record) bool {
		b.encoder.rows.Reset()
		b.encoder.append(s, rec, row.Offset)
		return b.encoder.hasher.row(b.encoder.rows.Key(0), b.encoder.rows.Cells(0)) == found
	})
}

// unproven counts a row whose line neither archive nor log has.
func (s *stream) unproven(offset int64) bool {
	m := s.missingAt(offset)
	if m == nil || m.inLog {
		return false
	}
	m.rows++
	return true
}

// dispute records that the table contradicts the log where the archive has nothing.
func (s *stream) dispute(offset int64) {
	if m := s.missingAt(offset); m != nil {
		m.disputed = true
	}
}

// missingAt returns the missing range of the offset, or nil.
func (s *stream) missingAt(offset int64) *missing {
	// Sorted: a sparse stream may have many.
	i, _ := slices.BinarySearchFunc(s.missing, offset, func(m missing, offset int64) int { return cmp.Compare(m.End, offset+1) })
	if i < len(s.missing) && s.missing[i].Start <= offset {
		return &s.missing[i]
	}
	return nil
}

// explain describes how a row differs from its line's, while rows are listed.
func (b *batch) explain(ctx context.Context, s *stream, row *schema.Row) (string, error) {
	text := fmt.Sprintf("row %x", row.Key)
	if s.Counts[RowDifferent] >= int64(b.audit.Named) {
		return text, nil
	}
	i := slices.IndexFunc(s.ranges, func(p locatedRange) bool { return row.Offset >= p.Start && row.Offset < p.End })
	if i < 0 || s.ranges[i].member == noMember {
		return text, nil
	}
	data, err := b.audit.rangeData(ctx, s, b.reader, s.ranges[i])
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(data[row.Offset-s.ranges[i].Start:], []byte("\n"))
	b.encoder.rows.Reset()
	if !b.encoder.line(s, line, row.Offset) {
		return text, nil
	}
	return text + ": " + cellDifference(row.Cells, b.encoder.rows.Cells(0)), nil
}

// cellDifference names the first cell that differs.
func cellDifference(have, want []schema.Cell) string {
	haveRow, wantRow := schema.Row{Cells: have}, schema.Row{Cells: want}
	for _, w := range want {
		if h, ok := haveRow.Cell(w.Qualifier); !ok {
			return fmt.Sprintf("cell %s is missing, expected from the line: %.60q", w.Qualifier, w.Value)
		} else if !bytes.Equal(h, w.Value) {
			return fmt.Sprintf("cell %s is %.60q, expected from the line: %.60q", w.Qualifier, h, w.Value)
		}
	}
	for _, h := range have {
		if _, ok := wantRow.Cell(h.Qualifier); !ok {
			return fmt.Sprintf("cell %s is %.60q, expected from the line: none", h.Qualifier, h.Value)
		}
	}
	return "its cells are in another order"
}
