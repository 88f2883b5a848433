package schema

import (
	"slices"
	"strconv"
	"strings"
)

// RowEncoder encodes the records of one stream as rows. Create one for each stream. It is not safe
// for concurrent use.
type RowEncoder struct {
	layout  Layout
	stream  *Stream
	host    []byte
	columns []column
	packer  *packer // packed: used instead of columns
}

type columnSource uint8

const (
	fromField columnSource = iota
	fromHost
	fromLogbody
	fromParseError
)

type column struct {
	qualifier string
	source    columnSource
	index     int // into the record's values, for fromField
	kind      Kind
}

// flumeQualifiers are the names of fields in the flume layout, as far as the old tables had others.
var flumeQualifiers = map[string]string{"path": "url", "bytes": "size"}

// NewRowEncoder prepares the columns of a stream whose format has these fields.
func (l Layout) NewRowEncoder(s *Stream, fields []Field) *RowEncoder {
	if l.Name == LayoutPacked {
		return &RowEncoder{layout: l, stream: s, packer: newPacker(s, fields)}
	}
	e := &RowEncoder{layout: l, stream: s, host: []byte(s.Host), columns: []column{
		{LogbodyField, fromLogbody, 0, Text},
		{ParseErrorField, fromParseError, 0, Text},
	}}
	if l.keeps(HostField) {
		e.columns = append(e.columns, column{HostField, fromHost, 0, Text})
	}
	for i, f := range fields {
		if !f.Derived && l.keeps(f.Name) {
			e.columns = append(e.columns, column{l.Qualifier(f.Name), fromField, i, f.Kind})
		}
	}
	slices.SortFunc(e.columns, func(a, b column) int { return strings.Compare(a.qualifier, b.qualifier) })
	return e
}

// Qualifier returns the qualifier of a field's cell, or of the cell that contains it.
func (l Layout) Qualifier(field string) string {
	switch l.Name {
	case LayoutPacked:
		return packedQualifier
	case LayoutFlume:
		if q, ok := flumeQualifiers[field]; ok {
			return q
		}
	}
	return field
}

// Schema returns the Avro schema of the packed records, for the stream's own row; empty in other
// layouts. The error is that of PackedSchema: such a format cannot be packed.
func (e *RowEncoder) Schema() (string, error) {
	if e.packer == nil {
		return "", nil
	}
	return AvroSchema(packedRecord, e.packer.avro.fields)
}

// Append adds the row of the record at offset of the stream. The row's cells are spans of the
// record's line where possible; a packed one is copied.
func (e *RowEncoder) Append(rows *Rows, offset int64, rec *Record) {
	rows.keys = e.layout.AppendKey(rows.keys, rec.Time, e.stream.ID, offset)
	if e.packer != nil {
		e.packer.append(rows, offset, rec)
	}
	for i := range e.columns {
		c := &e.columns[i]
		switch c.source {
		case fromField:
			e.appendField(rows, c, rec)
		case fromHost:
			rows.cells = append(rows.cells, Cell{c.qualifier, e.host, 0})
		case fromLogbody:
			rows.cells = append(rows.cells, Cell{c.qualifier, rec.Line, 0})
		case fromParseError:
			if rec.Err.Set() {
				rows.cells = append(rows.cells, Cell{c.qualifier, rows.keep([]byte(rec.Err.Error())), 0})
			}
		}
	}
	rows.end(rec.Time)
}

func (e *RowEncoder) appendField(rows *Rows, c *column, rec *Record) {
	v := &rec.Values[c.index]
	if v.State == Null {
		return
	}
	number := (c.kind == Int || c.kind == Time) && e.layout.Name == LayoutTyped
	switch {
	case number:
		var b [8]byte
		rows.cells = append(rows.cells, Cell{c.qualifier, rows.keep(EncodeNumber(b[:0], v.Num)), 0})
	case c.kind == Time && v.Start == v.End: // combined from several directives
		var b [20]byte
		rows.cells = append(rows.cells, Cell{c.qualifier, rows.keep(strconv.AppendInt(b[:0], v.Num, 10)), 0})
	case v.State == InLine:
		rows.cells = append(rows.cells, Cell{c.qualifier, rec.Bytes(c.index), v.Start + 1})
	default:
		rows.cells = append(rows.cells, Cell{c.qualifier, rows.keep(rec.Bytes(c.index)), 0})
	}
}
