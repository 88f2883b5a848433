package columnar

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"sluice/schema"
)

// Check compares row i's columns with its line, and returns the name of a column that differs, ""
// for none. e is the result of Entry for the row. Lines of a format that backtracks are not
// compared, as whether it reads a line in time depends on the machine.
func (b *Batch) Check(i int, e *schema.Entry) (string, error) {
	stream, err := b.streamIndex(i)
	if err != nil {
		return "", err
	}
	s, err := b.source(stream)
	if err != nil {
		return "", err
	}
	if s.format.Backtracks() {
		return "", nil
	}
	rec := e.Record
	if n := b.lines.time; n >= 0 {
		if t := &b.columns[n]; t.Null(i) == rec.Dated || rec.Dated && t.Ints[i] != rec.Time {
			return "time", nil
		}
	}
	if n := b.lines.zone; n >= 0 && b.columns[n].Ints[i] != int64(rec.ZoneSeconds) {
		return zoneColumn, nil
	}
	if c := b.Column(schema.HostField); c != nil && (c.Null(i) || string(c.Dict[c.Codes[i]]) != e.Stream.Host) {
		return schema.HostField, nil
	}
	if c := b.Column(schema.ParseErrorField); c != nil && c.Null(i) == rec.Err.Set() || c == nil && rec.Err.Set() {
		return schema.ParseErrorField, nil
	}
	for n, column := range s.columns {
		if rec.Fields[n].Derived || column == b.lines.time && column >= 0 {
			continue
		}
		if !b.holds(column, i, rec, n) {
			return rec.Fields[n].Name, nil
		}
	}
	return "", nil
}

// holds reports whether a column has a record's value in row i; -1 is a column that is null in all
// rows.
func (b *Batch) holds(column, i int, rec *schema.Record, field int) bool {
	null := rec.Null(field)
	if column < 0 || b.columns[column].Null(i) {
		return null
	}
	c := &b.columns[column]
	switch {
	case null:
		return false
	case !isText(c.Kind):
		return c.Ints[i] == rec.Values[field].Num
	}
	have, want := c.Dict[c.Codes[i]], rec.Bytes(field)
	return bytes.Equal(have, want) || !utf8.Valid(want) && bytes.Equal(have, schema.AppendUTF8(nil, want))
}

// checkRow is Check with an error for a difference.
func (b *Batch) checkRow(i int, e *schema.Entry) error {
	column, err := b.Check(i, e)
	if err == nil && column != "" {
		err = fmt.Errorf("%w: its column %s differs from its line", ErrFile, column)
	}
	return err
}
