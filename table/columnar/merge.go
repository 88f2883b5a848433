package columnar

import (
	"fmt"
	"strings"

	"sluice/schema"
)

// mergeState maps a batch's values and streams to those of the writer that its rows are added to.
type mergeState struct {
	writer  *Writer
	groups  int // of the writer, when the remaps were made
	columns []mergeColumn
	streams []int32
}

// mergeColumn is the destination of a column of the batch.
type mergeColumn struct {
	to    *groupColumn // nil: one of the fixed columns
	remap []int32
}

func (m *mergeState) reset() { m.writer = nil }

// addRanges adds the ranges of a stream whose rows are added with appendMerged. It must be called
// before the stream's first row.
func (w *Writer) addRanges(s *StreamMeta) {
	m := &w.meta.Streams[w.stream(&s.Stream, s.Labels)]
	for _, r := range s.Ranges {
		m.add(r)
	}
	m.extend(s.First, s.Last)
}

// mergeRows is the number of rows after which a merge checks whether the row group is full.
const mergeRows = 256

// appendMerged adds rows of a batch with all columns, in the given order, for merging files.
// addRanges adds their ranges.
func (w *Writer) appendMerged(b *Batch, rows []int32) error {
	for len(rows) > 0 && w.err == nil {
		n := min(len(rows), mergeRows, w.opts.RowGroupRows-w.group.rows)
		if w.err = w.prepareMerge(b); w.err == nil {
			w.err = w.appendBatch(b, rows[:n])
		}
		rows = rows[n:]
		if w.err == nil {
			w.flushFull()
		}
	}
	return w.err
}

// prepareMerge maps the batch to the writer's current group.
func (w *Writer) prepareMerge(b *Batch) error {
	m := &b.merge
	if m.writer == w && m.groups == w.flushed {
		return nil
	}
	if err := b.locate(); err != nil {
		return err
	}
	if l := &b.lines; l.time < 0 || l.zone < 0 || l.logbody < 0 {
		return fmt.Errorf("%w: a batch without the columns of every file", ErrFile)
	}
	m.writer, m.groups = w, w.flushed
	m.columns = resized(m.columns, len(b.columns))
	for i := range b.columns {
		c := &b.columns[i]
		m.columns[i].remap = unmappedCodes(m.columns[i].remap, len(c.Dict))
		m.columns[i].to = nil
		if !isFixed(c.Name) {
			m.columns[i].to = w.group.column(c.Name, c.Kind, strings.HasPrefix(c.Name, labelPrefix))
		}
	}
	m.streams = m.streams[:0]
	for i := range b.streams.streams {
		s := &b.streams.streams[i]
		m.streams = append(m.streams, int32(w.stream(&s.Stream, s.Labels)))
	}
	return nil
}

// isFixed reports whether every file has a column of that name.
func isFixed(name string) bool {
	switch name {
	case schema.TimeField, zoneColumn, schema.HostField, schema.StreamField, schema.OffsetField, schema.ParseErrorField, schema.LogbodyField:
		return true
	}
	return false
}

func (w *Writer) appendBatch(b *Batch, rows []int32) error {
	g, l := &w.group, &b.lines
	times := &b.columns[l.time]
	for _, row := range rows {
		stream, err := b.streamIndex(int(row))
		if err != nil {
			return err
		}
		g.streams = append(g.streams, b.merge.streams[stream])
		g.times.add(times.Ints[row], !times.Null(int(row)))
		g.zones = append(g.zones, b.columns[l.zone].Ints[row])
		g.offsets = append(g.offsets, b.columns[l.offset].Ints[row])
	}
	for i := range b.columns {
		c, m := &b.columns[i], &b.merge.columns[i]
		switch {
		case c.Name == schema.ParseErrorField:
			g.mergeTexts(&g.parseErrors, c, m.remap, rows)
		case i == l.logbody:
			g.mergeLines(c, rows)
		case m.to == nil:
		case isText(c.Kind):
			m.to.texts.fill(g.rows)
			g.mergeTexts(&m.to.texts, c, m.remap, rows)
		default:
			m.to.ints.fill(g.rows)
			for _, row := range rows {
				m.to.ints.add(c.Ints[row], !c.Null(int(row)))
			}
		}
	}
	g.parseErrors.fill(g.rows + len(rows))
	g.rows += len(rows)
	return nil
}

func (g *group) mergeTexts(dst *texts, c *Column, remap []int32, rows []int32) {
	for _, row := range rows {
		code := c.Codes[row]
		if code >= 0 {
			if remap[code] == unmapped {
				remap[code] = g.code(dst, c.Dict[code], 0)
			}
			code = remap[code]
		}
		dst.codes = append(dst.codes, code)
	}
}

func (g *group) mergeLines(c *Column, rows []int32) {
	for _, row := range rows {
		code := c.Codes[row]
		if code >= 0 {
			value := c.Dict[code]
			code = int32(g.lines.dict.Add(value))
			g.textBytes += len(value)
		}
		g.lines.codes = append(g.lines.codes, code)
	}
}
