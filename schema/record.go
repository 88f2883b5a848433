package schema

import (
	"bytes"
	"fmt"
	"net/netip"
)

// State tells null, empty and value apart, and where a value's bytes are.
type State uint8

const (
	// Null: Apache wrote "-", or the value could not be read.
	Null State = iota
	// InLine: the bytes are Line[Start:End]; empty when Start == End.
	InLine
	// InScratch: Apache's escapes were undone, so the bytes are the record's own.
	InScratch
	// InQuery: the bytes are those behind the first '?' in Line[Start:End]; null
	// when there is none. A path's query is looked for when somebody asks for it,
	// for most never do, and whether a path has one no processor foretells.
	InQuery
)

// Value is one field of one record: a span, and for numbers, times and IPv4
// addresses what the span says.
type Value struct {
	// Num is the number (Int), nanoseconds since 1970 (Time), or the IPv4
	// address as a big-endian number (Addr, when IPv4 is set).
	Num        int64
	Start, End uint32
	State      State
	IPv4       bool
}

// ParseError says where a line leaves its format. The zero ParseError is none.
type ParseError struct {
	// Offset is the byte of the line at which Directive could not be read.
	Offset int
	// Directive is the LogFormat directive ("%>s"), or "literal" or "pattern".
	Directive string
	// Reason says what was expected there.
	Reason string
}

// Set reports whether there is an error.
func (e ParseError) Set() bool { return e.Reason != "" }

func (e ParseError) Error() string {
	return fmt.Sprintf("byte %d: %s: %s", e.Offset, e.Directive, e.Reason)
}

// Record is a line read by its format. It is made to be used again for the next
// line: one record a goroutine, no allocation a line. It is not safe for
// concurrent use.
type Record struct {
	// Line is the line without its newline. It belongs to the caller of Parse;
	// the record's spans point into it.
	Line []byte
	// Fields are the format's, shared and read-only; Values[i] is that of Fields[i].
	Fields []Field
	Values []Value
	// Time is the event time in nanoseconds since 1970, in the line's own zone
	// resolved; 0 when Dated is false.
	Time  int64
	Dated bool
	// ZoneSeconds is the line's own zone, seconds east of UTC.
	ZoneSeconds int32
	// Err is set when the line does not follow the format; the fields that could
	// be read are there all the same.
	Err ParseError

	scratch []byte
	spare   []byte
}

// Reset makes the record ready for a line of the given fields: all null.
func (r *Record) Reset(line []byte, fields []Field) {
	r.Line, r.Fields = line, fields
	if cap(r.Values) < len(fields) {
		r.Values = make([]Value, len(fields))
	}
	r.Values = r.Values[:len(fields)]
	clear(r.Values)
	r.Time, r.Dated, r.ZoneSeconds = 0, false, 0
	r.Err = ParseError{}
	r.scratch = r.scratch[:0]
}

// Bytes returns the value's bytes, escapes undone: nil for null, empty for
// empty. They are valid until the record is used again and must not be changed.
func (r *Record) Bytes(i int) []byte {
	v := &r.Values[i]
	switch v.State {
	case InLine:
		return r.Line[v.Start:v.End:v.End]
	case InScratch:
		return r.scratch[v.Start:v.End:v.End]
	case InQuery:
		path := r.Line[v.Start:v.End:v.End]
		if i := bytes.IndexByte(path, '?'); i >= 0 {
			return path[i+1:]
		}
	}
	return nil
}

// Null reports whether field i is null.
func (r *Record) Null(i int) bool {
	state := r.Values[i].State
	return state == Null || state == InQuery && r.Bytes(i) == nil
}

// Addr returns field i as an IP address; false when it is null or a host name.
func (r *Record) Addr(i int) (netip.Addr, bool) {
	v := &r.Values[i]
	if v.State == Null {
		return netip.Addr{}, false
	}
	if v.IPv4 {
		n := uint32(v.Num)
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), true
	}
	a, err := netip.ParseAddr(string(r.Bytes(i)))
	return a, err == nil
}

// Index returns the position of the field called name, or -1.
func (r *Record) Index(name string) int { return Index(r.Fields, name) }

// Index returns the position of the field called name, or -1.
func Index(fields []Field, name string) int {
	for i := range fields {
		if fields[i].Name == name {
			return i
		}
	}
	return -1
}

// Scratch returns the record's own buffer for bytes that do not stand in the
// line as they are. A parser appends to it and hands it back with SetScratch; a
// value that lies in it has State InScratch.
func (r *Record) Scratch() []byte { return r.scratch }

// Within makes a record that was read from line[offset:] one of line.
func (r *Record) Within(line []byte, offset int) {
	for i := range r.Values {
		if v := &r.Values[i]; v.State == InLine || v.State == InQuery {
			v.Start += uint32(offset)
			v.End += uint32(offset)
		}
	}
	r.Line = line
	if r.Err.Set() {
		r.Err.Offset += offset
	}
}

// Outside makes a record that was read from bytes that do not stand in line one of line:
// those bytes become the record's own.
func (r *Record) Outside(line []byte) {
	base := uint32(len(r.scratch))
	r.scratch = append(r.scratch, r.Line...)
	for i := range r.Values {
		v := &r.Values[i]
		if v.State == InQuery {
			if query := bytes.IndexByte(r.Line[v.Start:v.End], '?'); query >= 0 {
				v.Start += uint32(query) + 1
				v.State = InLine
			} else {
				*v = Value{}
			}
		}
		if v.State == InLine {
			v.Start, v.End, v.State = v.Start+base, v.End+base, InScratch
		}
	}
	r.Line = line
}

// Spare returns a buffer of the record's that nothing of it lies in, for a parser that
// unpacks a line before it reads it.
func (r *Record) Spare() []byte { return r.spare }

// SetSpare hands the grown buffer back.
func (r *Record) SetSpare(b []byte) { r.spare = b }

// SetScratch hands the grown buffer back.
func (r *Record) SetScratch(b []byte) { r.scratch = b }
