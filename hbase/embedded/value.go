package embedded

import (
	"encoding/binary"
	"fmt"

	"sluice/schema"
)

// A row's value holds its cells. The line stands in it once; a cell whose bytes
// stand in the line is a place in it.
//
//	value  1 (the version) | line | cells, to the end
//	line   uvarint length+1 | bytes; or uvarint 0 where the row has no logbody
//	cell   uvarint length of the qualifier << 2 | kind | qualifier | what the kind says
//	kind   0 the bytes: uvarint length | bytes
//	       1 a place in the line: uvarint start | uvarint length
//	       2 the line itself: nothing
//
// Qualifiers are spelled out in every row. Numbers from a dictionary would make the
// table 7 % smaller (97 bytes a row, not 104) at the same CPU, and would have to be
// written before the first row that uses them.
const (
	valueVersion = 1

	kindBytes = 0
	kindPlace = 1
	kindLine  = 2
	kindBits  = 2
)

// appendValue appends the value that holds cells.
func appendValue(dst []byte, cells []schema.Cell) []byte {
	dst = append(dst, valueVersion)
	var line []byte
	body := -1
	for i := range cells {
		if cells[i].Qualifier == schema.LogbodyField {
			body, line = i, cells[i].Value
			break
		}
	}
	if body < 0 {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(line))+1)
		dst = append(dst, line...)
	}
	for i := range cells {
		c := &cells[i]
		kind := uint64(kindBytes)
		switch {
		case i == body:
			kind = kindLine
		case c.Span > 0 && uint64(c.Span-1)+uint64(len(c.Value)) <= uint64(len(line)):
			kind = kindPlace
		}
		dst = binary.AppendUvarint(dst, uint64(len(c.Qualifier))<<kindBits|kind)
		dst = append(dst, c.Qualifier...)
		switch kind {
		case kindPlace:
			dst = binary.AppendUvarint(dst, uint64(c.Span-1))
			dst = binary.AppendUvarint(dst, uint64(len(c.Value)))
		case kindBytes:
			dst = binary.AppendUvarint(dst, uint64(len(c.Value)))
			dst = append(dst, c.Value...)
		}
	}
	return dst
}

// ValueError is a row whose value is not one that this package wrote.
type ValueError struct {
	Key    []byte
	Reason string
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("embedded: row %x is damaged: %s", e.Key, e.Reason)
}

// decoder turns values back into cells. It remembers qualifiers, so that a row
// like the one before costs no allocation. It is not safe for concurrent use.
type decoder struct {
	names map[string]string
}

// maxNames bounds what a decoder remembers of a table with a great many qualifiers.
const maxNames = 1024

// name returns b as a string. last is the qualifier that the row before had at
// this place: nearly always the same.
func (d *decoder) name(b []byte, last string) string {
	if string(b) == last {
		return last
	}
	if s, known := d.names[string(b)]; known {
		return s
	}
	s := string(b)
	if d.names == nil {
		d.names = make(map[string]string)
	}
	if len(d.names) < maxNames {
		d.names[s] = s
	}
	return s
}

// decode fills row.Cells from value, into which they point. Row.Key names the row
// in errors.
func (d *decoder) decode(row *schema.Row, value []byte) error {
	in := input{rest: value}
	if version := in.take(1); in.reason == "" && version[0] != valueVersion {
		in.reason = fmt.Sprintf("version %d of values is not known to this sluice", version[0])
	}
	var line []byte
	hasLine := false
	if n := in.number(); n > 0 {
		line, hasLine = in.take(n-1), true
	}
	before := row.Cells
	row.Cells = row.Cells[:0]
	for len(in.rest) > 0 && in.reason == "" {
		last := ""
		if i := len(row.Cells); i < len(before) {
			last = before[i].Qualifier
		}
		row.Cells = append(row.Cells, in.cell(d, line, hasLine, last))
	}
	if in.reason != "" {
		row.Cells = row.Cells[:0]
		return &ValueError{append([]byte(nil), row.Key...), in.reason}
	}
	return nil
}

// input reads a value from its front. After the first thing that cannot be read
// reason is set and everything else is empty.
type input struct {
	rest   []byte
	reason string
}

func (in *input) number() uint64 {
	n, used := binary.Uvarint(in.rest)
	if used <= 0 {
		in.fail("a number is cut off")
		return 0
	}
	in.rest = in.rest[used:]
	return n
}

func (in *input) take(n uint64) []byte {
	if n > uint64(len(in.rest)) {
		in.fail("a length leads beyond the end")
		return nil
	}
	b := in.rest[:n:n]
	in.rest = in.rest[n:]
	return b
}

func (in *input) cell(d *decoder, line []byte, hasLine bool, last string) (c schema.Cell) {
	head := in.number()
	c.Qualifier = d.name(in.take(head>>kindBits), last)
	switch head & (1<<kindBits - 1) {
	case kindBytes:
		c.Value = in.take(in.number())
	case kindPlace:
		start, n := in.number(), in.number()
		if start > uint64(len(line)) || n > uint64(len(line))-start {
			in.fail("a cell's place is not in the line")
			return c
		}
		c.Value, c.Span = line[start:start+n:start+n], uint32(start)+1
	case kindLine:
		if !hasLine {
			in.fail("a cell is the line, and there is none")
		}
		c.Value = line
	default:
		in.fail("a kind of cell is not known")
	}
	return c
}

// fail keeps the first reason and lets nothing more be read.
func (in *input) fail(reason string) {
	if in.reason == "" {
		in.reason = reason
	}
	in.rest = nil
}
