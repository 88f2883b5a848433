package columnar

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sluice/schema"
	"sluice/table/parquet"
)

const (
	// RowGroupRows is the number of rows of a row group; the last one of a file can have fewer.
	RowGroupRows = 131072
	// maxGroupTextBytes ends a row group early if its texts are long and different, so that memory
	// is bounded for any lines.
	maxGroupTextBytes = 24 << 20
)

// WriterOptions are the settings of a Writer.
type WriterOptions struct {
	// Segment is the name of the rows' segment.
	Segment string
	// Replaces are the names of the files that this one is merged from.
	Replaces []string
	// RowGroupRows is the number of rows of a row group; 0 is the default.
	RowGroupRows int
}

// Writer writes one file. Its memory is bounded by a row group. After an error every call returns
// it. It is not safe for concurrent use.
type Writer struct {
	file    *parquet.Writer
	opts    WriterOptions
	meta    Meta
	err     error
	streams map[schema.StreamID][]int // indexes of meta.Streams
	covered coverage                  // ranges that Append added
	group   group
	flushed int  // number of groups written
	mixed   bool // a group has both rows of time 0 and rows without a time

	fixed   fixedColumns
	columns map[*groupColumn]int // their numbers in the file
	targets map[*shape]*target

	codes  []int32 // scratch: a column in the order of the file
	values []int64
	valid  []uint64
}

// fixedColumns are the numbers of the columns that every file has.
type fixedColumns struct{ time, zone, host, stream, offset, parseError, logbody int }

// NewWriter returns a writer of a file to w.
func NewWriter(w io.Writer, o WriterOptions) *Writer {
	if o.RowGroupRows <= 0 {
		o.RowGroupRows = RowGroupRows
	}
	c := &Writer{
		opts: o, meta: Meta{Version: metaVersion, Segment: o.Segment, Replaces: slices.Clone(o.Replaces)},
		streams: map[schema.StreamID][]int{}, covered: coverage{}, columns: map[*groupColumn]int{}, targets: map[*shape]*target{},
	}
	c.file, c.err = parquet.NewWriter(w)
	if c.err != nil {
		return c
	}
	text := func(name string, optional bool) int {
		return c.file.AddColumn(parquet.Column{Name: name, Type: parquet.ByteArray, Logical: parquet.String, Optional: optional})
	}
	c.fixed = fixedColumns{
		time:       c.file.AddColumn(parquet.Column{Name: schema.TimeField, Type: parquet.Int64, Logical: parquet.TimestampNanos, Optional: true}),
		zone:       c.file.AddColumn(parquet.Column{Name: zoneColumn, Type: parquet.Int32}),
		host:       text(schema.HostField, false),
		stream:     text(schema.StreamField, false),
		offset:     c.file.AddColumn(parquet.Column{Name: schema.OffsetField, Type: parquet.Int64}),
		parseError: text(schema.ParseErrorField, true),
		logbody:    c.file.AddColumn(parquet.Column{Name: schema.LogbodyField, Type: parquet.ByteArray, Optional: true}),
	}
	return c
}

// Append adds the rows of c, which are those of range r of the stream. Chunks must be in the order
// of the segment: it determines the file's bytes, independent of the division into chunks. Lines of
// parts of r that were added before are left out: a segment may have a range twice (Flume sent it
// again), and a file has each line once.
func (w *Writer) Append(s *schema.Stream, labels map[string]string, r schema.Range, errors int, c *Chunk) error {
	if w.err != nil {
		return w.err
	}
	missing := w.covered.add(s.ID, r)
	if len(missing) == 1 && missing[0] == r || r.Len() <= 0 {
		w.appendRows(s, labels, RangeMeta{r, int64(c.Len()), int64(errors)}, c, 0, c.Len())
		return w.err
	}
	for _, part := range missing {
		from, to := c.rows(part)
		w.appendRows(s, labels, RangeMeta{part, int64(to - from), c.errors(from, to)}, c, from, to)
	}
	return w.err
}

// appendRows adds the rows [from, to) of the chunk, which are those of a range.
func (w *Writer) appendRows(s *schema.Stream, labels map[string]string, r RangeMeta, c *Chunk, from, to int) {
	stream := w.stream(s, labels)
	m := &w.meta.Streams[stream]
	m.add(r)
	m.extend(c.span(from, to))
	if from == to {
		return
	}
	t := w.target(c.shape)
	for begun := false; from < to && w.err == nil; begun = true {
		if !begun || w.group.rows == 0 {
			w.group.begin(c)
		}
		end := to
		if room := w.opts.RowGroupRows - w.group.rows; end-from > room {
			end = from + room
		}
		if w.group.textBytes+c.textBytes() >= maxGroupTextBytes { // row by row, to end the group when it is full
			end = from + 1
		}
		w.group.appendChunk(c, t, int32(stream), from, end)
		from = end
		w.flushFull()
	}
}

// flushFull writes the row group if it is full.
func (w *Writer) flushFull() {
	if w.group.rows >= w.opts.RowGroupRows || w.group.textBytes >= maxGroupTextBytes {
		w.flush()
	}
}

// stream returns the index of a stream, adding it if it is new or has changed.
func (w *Writer) stream(s *schema.Stream, labels map[string]string) int {
	labels = jsonLabels(labels)
	for _, i := range w.streams[s.ID] {
		if m := &w.meta.Streams[i]; m.Stream == *s && maps.Equal(m.Labels, labels) {
			return i
		}
	}
	w.meta.Streams = append(w.meta.Streams, StreamMeta{Stream: *s, Labels: labels})
	i := len(w.meta.Streams) - 1
	w.streams[s.ID] = append(w.streams[s.ID], i)
	return i
}

// target finds the group's columns for those of a shape.
func (w *Writer) target(h *shape) *target {
	if t := w.targets[h]; t != nil {
		return t
	}
	t := &target{}
	for _, f := range h.fields {
		t.fields = append(t.fields, w.group.column(f.name, f.kind, false))
	}
	for _, name := range slices.Sorted(maps.Keys(h.labels)) {
		column := w.group.column(labelPrefix+name, schema.Text, true)
		t.labels = append(t.labels, labelValue{column, []byte(h.labels[name])})
	}
	if len(w.targets) >= maxTargets {
		clear(w.targets)
	}
	w.targets[h] = t
	return t
}

// maxTargets bounds the cache of encoders.
const maxTargets = 1024

// MemoryBytes is the approximate memory of the writer.
func (w *Writer) MemoryBytes() int {
	return w.group.memory() + w.file.MemoryBytes() + 4*cap(w.codes) + 8*(cap(w.values)+cap(w.valid))
}

// Close writes the last row group and the footer, and returns the file's description. It does not
// close the io.Writer.
func (w *Writer) Close() (Meta, error) {
	if w.group.rows > 0 {
		w.flush()
	}
	if w.err != nil {
		return Meta{}, fmt.Errorf("columnar: write the file of %s: %w", w.opts.Segment, w.err)
	}
	w.meta.Kinds = map[string]string{}
	for _, c := range w.group.columns {
		if c.kind == schema.Addr {
			w.meta.Kinds[c.name] = c.kind.String()
		}
	}
	text, err := json.Marshal(w.meta)
	if err == nil {
		sorting := []parquet.Sorting{{Column: w.fixed.time}, {Column: w.fixed.stream}, {Column: w.fixed.offset}}
		if w.mixed {
			sorting = nil
		}
		err = w.file.Close(w.order(), map[string]string{metaKey: string(text)}, sorting)
	}
	w.err = errors.New("columnar: the writer is closed")
	if err != nil {
		w.err = err
		return Meta{}, fmt.Errorf("columnar: write the file of %s: %w", w.opts.Segment, err)
	}
	return w.meta, nil
}

// order returns the order of the columns in the file: the fixed ones, the fields in the order of
// their first row, labels by name, and columns that are mostly null.
func (w *Writer) order() []int {
	f := w.fixed
	order := []int{f.time, f.zone, f.host, f.stream, f.offset}
	var labels []*groupColumn
	for _, c := range w.group.columns {
		if c.label {
			labels = append(labels, c)
		} else if number, ok := w.columns[c]; ok {
			order = append(order, number)
		}
	}
	slices.SortFunc(labels, func(a, b *groupColumn) int { return strings.Compare(a.name, b.name) })
	for _, c := range labels {
		if number, ok := w.columns[c]; ok {
			order = append(order, number)
		}
	}
	return append(order, f.parseError, f.logbody)
}
