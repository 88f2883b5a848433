package schema

import (
	"bytes"
	"fmt"
	"net/netip"
)

// State distinguishes null, empty and value, and is the location of a value's bytes.
type State uint8

const (
	// Null is "-", or a value that could not be read.
	Null State = iota
	// InLine: the bytes are Line[Start:End]; empty if Start == End.
	InLine
	// InScratch: the bytes were unescaped into the record's buffer.
	InScratch
	// InQuery: the bytes are those after the first '?' in Line[Start:End]; null if there is none. A
	// path's query is searched on demand, as it is rarely used, and the branch is unpredictable.
	InQuery
)

// Value is one field of a record: a span, and for numbers, times and IPv4 addresses the parsed
// value.
type Value struct {
	// Num is the number (Int), nanoseconds since 1970 (Time), or the IPv4 address as a big-endian
	// number (Addr, if IPv4 is set).
	Num        int64
	Start, End uint32
	State      State
	IPv4       bool
}

// ParseError is the position at which a line does not match its format. The zero ParseError is
// none.
type ParseError struct {
	// Offset is the offset in the line at which Directive could not be read.
	Offset int
	// Directive is the LogFormat directive ("%>s"), or "literal" or "pattern".
	Directive string
	// Reason is what was expected.
	Reason string
}

// Set reports whether there is an error.
func (e ParseError) Set() bool { return e.Reason != "" }

func (e ParseError) Error() string {
	return fmt.Sprintf("byte %d: %s: %s", e.Offset, e.Directive, e.Reason)
}

// Record is a parsed line. Reuse it for the next line: one record for each goroutine, no
// allocations. It is not safe for concurrent use.
type Record struct {
	// Line is the line without its newline. It belongs to the caller of Parse; the record's spans
	// refer to it.
	Line []byte
	// Fields are the format's, shared and read-only; Values[i] is the value of Fields[i].
	Fields []Field
	Values []Value
	// Time is the event time in nanoseconds since 1970; 0 if Dated is false.
	Time  int64
	Dated bool
	// ZoneSeconds is the line's own zone, seconds east of UTC.
	ZoneSeconds int32
	// Err is set if the line does not match the format; the fields that could be read are set all
	// the same.
	Err ParseError

	scratch []byte
	spare   []byte
}

// Reset prepares the record for a line with the given fields, all null.
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

// Bytes returns the value's bytes, unescaped: nil for null, empty for empty. They are valid until
// the record is used again and must not be changed.
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

// Addr returns field i as an IP address; false if it is null or a host name.
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

// Scratch returns the record's buffer for bytes that are not a span of the line. A parser appends
// to it and returns it with SetScratch; a value in it has State InScratch.
func (r *Record) Scratch() []byte { return r.scratch }

// Within converts a record that was parsed from line[offset:] to one of line.
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

// Outside converts a record that was parsed from bytes that are not part of line to one of line:
// those bytes are kept in the record's buffer.
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

// Spare returns a second buffer of the record, without values in it, for a parser that decodes a
// line before it parses it.
func (r *Record) Spare() []byte { return r.spare }

// SetSpare returns the grown buffer.
func (r *Record) SetSpare(b []byte) { r.spare = b }

// SetScratch returns the grown buffer.
func (r *Record) SetScratch(b []byte) { r.scratch = b }
