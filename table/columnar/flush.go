package columnar

import (
	"sluice/schema"
	"sluice/table/parquet"
)

// flush sorts the rows of the group and writes them.
func (w *Writer) flush() {
	g := &w.group
	g.fill()
	rows := g.sorted.order(g, w.meta.Streams)
	w.file.BeginGroup(g.rows)
	w.count(g)

	w.writeInts(w.fixed.time, &g.times, rows)
	w.file.WriteInts(w.fixed.zone, w.ordered(g.zones, rows), nil)
	ids, hosts, idOf, hostOf := g.streamDicts(w.meta.Streams)
	w.writeMapped(w.fixed.host, &hosts, hostOf, rows)
	w.writeMapped(w.fixed.stream, &ids, idOf, rows)
	w.file.WriteInts(w.fixed.offset, w.ordered(g.offsets, rows), nil)
	for _, c := range g.columns {
		number, ok := w.columns[c]
		if !ok {
			number = w.file.AddColumn(fileColumn(c))
			w.columns[c] = number
		}
		if c.isText() {
			w.writeTexts(number, &c.texts, rows)
		} else {
			w.writeInts(number, &c.ints, rows)
		}
	}
	w.writeTexts(w.fixed.parseError, &g.parseErrors, rows)
	w.writeTexts(w.fixed.logbody, &g.lines, rows)
	g.reset()
	w.flushed++
	w.err = w.file.Err()
}

// fileColumn converts a column of the group to one of the file.
func fileColumn(c *groupColumn) parquet.Column {
	f := parquet.Column{Name: c.name, Type: parquet.Int64, Optional: true}
	switch c.kind {
	case schema.Time:
		f.Logical = parquet.TimestampNanos
	case schema.Int:
	default:
		f.Type, f.Logical = parquet.ByteArray, parquet.String
	}
	return f
}

// count adds the group's rows to the file's description.
func (w *Writer) count(g *group) {
	w.meta.Rows += int64(g.rows)
	w.meta.Undated += int64(g.times.nulls)
	for i, t := range g.times.values {
		if !g.times.ok(i) {
			continue
		}
		if w.meta.MinTime == 0 || t < w.meta.MinTime {
			w.meta.MinTime = t
		}
		w.meta.MaxTime = max(w.meta.MaxTime, t)
		w.mixed = w.mixed || t == 0 && g.times.nulls > 0
	}
}

func (w *Writer) writeInts(column int, n *ints, rows []int32) {
	var bits []uint64
	if n.nulls > 0 {
		bits = w.orderedBits(n, rows)
	}
	w.file.WriteInts(column, w.ordered(n.values, rows), bits)
}

func (w *Writer) ordered(values []int64, rows []int32) []int64 {
	if rows == nil {
		return values
	}
	w.values = w.values[:0]
	for _, row := range rows {
		w.values = append(w.values, values[row])
	}
	return w.values
}

func (w *Writer) orderedBits(n *ints, rows []int32) []uint64 {
	if rows == nil {
		return n.valid
	}
	w.valid = resized(w.valid, len(n.valid))
	clear(w.valid)
	for i, row := range rows {
		w.valid[i>>6] |= n.valid[row>>6] >> (row & 63) & 1 << (i & 63)
	}
	return w.valid
}

func (w *Writer) writeTexts(column int, t *texts, rows []int32) {
	codes := t.codes
	if rows != nil {
		w.codes = w.codes[:0]
		for _, row := range rows {
			w.codes = append(w.codes, codes[row])
		}
		codes = w.codes
	}
	w.file.WriteTexts(column, &t.dict, codes)
}

// writeMapped writes a column whose value is determined by the row's stream.
func (w *Writer) writeMapped(column int, dict *parquet.Dict, of []int32, rows []int32) {
	g := &w.group
	w.codes = w.codes[:0]
	if rows == nil {
		for _, stream := range g.streams {
			w.codes = append(w.codes, of[stream])
		}
	} else {
		for _, row := range rows {
			w.codes = append(w.codes, of[g.streams[row]])
		}
	}
	w.file.WriteTexts(column, dict, w.codes)
}
