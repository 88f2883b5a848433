package parse

import (
	"bytes"
	"encoding/binary"

	"sluice/schema"
)

// setText stores the span [p, end) as a text value: "-" is null, escapes are undone.
func (r *reader) setText(s *step, p, end int) {
	r.set(s.field, p, end)
	if s.user && end-p == 2 && r.line[p] == '"' && r.line[p+1] == '"' {
		v := &r.rec.Values[s.field] // how Apache writes a user whose name is empty
		v.Start, v.End, v.State = uint32(p), uint32(p), schema.InLine
	}
}

// set stores a span in a field.
func (r *reader) set(field, p, end int) {
	v := &r.rec.Values[field]
	v.IPv4 = false
	if end-p == 1 && r.line[p] == '-' {
		v.State = schema.Null
		return
	}
	if r.escaped && bytes.IndexByte(r.line[p:end], '\\') >= 0 {
		r.unescape(v, p, end)
		return
	}
	v.Start, v.End, v.State = uint32(p), uint32(end), schema.InLine
}

// unescape undoes Apache's escapes (ap_escape_logitem) into the record's own
// memory. A backslash that no escape starts with stays what it is.
func (r *reader) unescape(v *schema.Value, p, end int) {
	b := r.rec.Scratch()
	start := len(b)
	for i := p; i < end; i++ {
		c := r.line[i]
		if c != '\\' || i+1 >= end {
			b = append(b, c)
			continue
		}
		i++
		switch e := r.line[i]; e {
		case '"', '\\':
			b = append(b, e)
		case 'b':
			b = append(b, '\b')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'v':
			b = append(b, '\v')
		default:
			if e == 'x' && i+2 < end && hex(r.line[i+1]) >= 0 && hex(r.line[i+2]) >= 0 {
				b = append(b, byte(hex(r.line[i+1])<<4|hex(r.line[i+2])))
				i += 2
			} else {
				b = append(b, '\\', e)
			}
		}
	}
	r.rec.SetScratch(b)
	v.Start, v.End, v.State = uint32(start), uint32(len(b)), schema.InScratch
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// quickInt reads one to seven digits and declines anything else, the end of the
// line among it.
func quickInt(v *schema.Value, line []byte, p int) int {
	if p+8 > len(line) {
		return -1
	}
	n, digits := numberIn(binary.LittleEndian.Uint64(line[p:]))
	if digits == 0 || digits > 7 {
		return -1
	}
	v.Num, v.Start, v.End, v.State = int64(n), uint32(p), uint32(p+digits), schema.InLine
	return p + digits
}

// readInt reads a number of at most 18 digits, or "-".
func (r *reader) readInt(s *step, p int) (int, string) {
	line := r.line
	i := p
	negative := i < len(line) && line[i] == '-'
	if negative {
		i++
	}
	digits := i
	n := int64(0)
	for ; i < len(line); i++ {
		d := line[i] - '0'
		if d > 9 {
			break
		}
		n = n*10 + int64(d)
	}
	v := &r.rec.Values[s.field]
	switch {
	case i == digits && negative:
		v.State = schema.Null
		return i, ""
	case i == digits:
		return p, "a number or - is expected"
	case i-digits > 18:
		return p, "a number of more than 18 digits"
	case negative:
		n = -n
	}
	v.Num, v.Start, v.End, v.State = n, uint32(p), uint32(i), schema.InLine
	return i, ""
}

// readQuery reads %q: nothing, or '?' and the query. The field is what stands
// after the question mark.
func (r *reader) readQuery(s *step, p int) (int, string) {
	end := r.textEnd(s, p)
	if end < 0 {
		return p, "the text behind it does not come"
	}
	return r.readQueryTo(s, p, end)
}

func (r *reader) readQueryTo(s *step, p, end int) (int, string) {
	switch {
	case end > p && r.line[p] == '?':
		r.set(s.field, p+1, end)
		if r.rec.Values[s.field].State == schema.Null { // the query is a dash
			r.rec.Values[s.field] = schema.Value{Start: uint32(p + 1), End: uint32(end), State: schema.InLine}
		}
		if i := s.request.path; i > 0 && r.rec.Values[i-1].State != schema.Null {
			r.set(i-1, r.tail, end)
		}
	case end == p || end == p+1 && r.line[p] == '-':
		r.rec.Values[s.field] = schema.Value{}
	default:
		return p, "a query starts with ?"
	}
	return end, ""
}

// readByte reads %X and %F: one byte each.
func (r *reader) readByte(s *step, p int) (int, string) {
	if p >= len(r.line) {
		return p, "one character is expected"
	}
	v := &r.rec.Values[s.field]
	v.Start, v.End, v.State = uint32(p), uint32(p+1), schema.InLine
	if r.line[p] == '-' && !s.dash {
		v.State = schema.Null
	}
	return p + 1, ""
}
