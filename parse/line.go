package parse

import (
	"bytes"
	"encoding/binary"

	"sluice/schema"
)

// Parse parses one line, without its newline, into rec. The record's spans refer to line, so line
// must not change while the record is used. Parse always succeeds: a field that could not be read
// is null, and rec.Err has the position and the reason.
func (f *Format) Parse(line []byte, rec *schema.Record) {
	if f.isWrapped(line) {
		f.parseWrapped(line, rec)
		return
	}
	f.parseBare(line, rec)
}

// parseBare is Parse for a line without an envelope.
func (f *Format) parseBare(line []byte, rec *schema.Record) {
	rec.Reset(line, f.fields)
	switch {
	case f.pattern != nil:
		f.pattern.parse(rec)
	case f.parts:
		f.parseParts(line, rec)
		return
	default:
		r := reader{f: f, rec: rec}
		r.begin(line)
		if !r.forward() {
			g := f.recover(line, rec, r.step, r.pos)
			f.readings.Put(g)
		}
	}
	field := f.time
	if field < 0 {
		field = f.end
	}
	if field >= 0 {
		setDated(rec, &rec.Values[field])
	}
}

// setDated sets the record's time from a value. A value that was begun and is null has a number, too.
func setDated(rec *schema.Record, v *schema.Value) {
	rec.Time, rec.Dated = 0, v.State != schema.Null
	if rec.Dated {
		rec.Time = v.Num
	}
}

// parseParts is Parse for a format whose time is combined from several directives. It has its own
// stack frame, because clearing two clocks costs as much as reading a time.
func (f *Format) parseParts(line []byte, rec *schema.Record) {
	var clocks [2]clock
	r := reader{f: f, rec: rec, clocks: &clocks}
	r.begin(line)
	if !r.forward() {
		g := f.recover(line, rec, r.step, r.pos)
		clocks = g.clocks
		f.readings.Put(g)
	}
	f.setTime(rec, &clocks)
}

// reader is the state of parsing one line. It is on Parse's stack.
type reader struct {
	f       *Format
	rec     *schema.Record
	line    []byte
	escaped bool      // the line has a backslash
	clocks  *[2]clock // for time and end_time, if they are combined from parts
	zone    int32     // of the last %t

	// step and pos are where forward stopped
	step, pos int
	tail      int // start of the last value directly followed by another: %U of %U%q

	g *readings // for a line that does not match its format
}

func (r *reader) begin(line []byte) {
	r.line, r.escaped = trimCR(line), bytes.IndexByte(line, '\\') >= 0
}

// trimCR cuts the CR of a file with CRLF: it is part of the line and of no field.
func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// forward runs the steps from the left. It returns false at the first one that does not fit. Values
// of the usual kinds are read here and in the quick functions, which return -1 for anything else;
// read reads that. The record's values are null before, so null is not stored.
func (r *reader) forward() bool {
	steps, line, values := r.f.steps, r.line, r.rec.Values
	p := len(r.f.prefix)
	if !hasPrefixAt(line, 0, r.f.prefix) {
		r.stop(0, 0, "the line does not start as its format does")
		return false
	}
	for i := range steps {
		s := &steps[i]
		next := -1
		switch s.op {
		case opInt:
			if !s.slow {
				next = quickInt(&values[s.field], line, p)
			}
		case opAddr:
			if !s.slow {
				next = r.readIPv4(s, p)
			}
		case opText:
			if s.quick && p+1 < len(line) && line[p] == '-' && line[p+1] == s.lit[0] {
				p += 2
				continue
			}
		case opTime:
			if s.clock.clf && r.clocks == nil {
				next = r.quickTime(s, p)
			}
		case opQuoted:
			if end := r.quickQuote(s, p); end >= 0 {
				if end != p+1 || line[p] != '-' {
					v := &values[s.field]
					v.Start, v.End, v.State = uint32(p), uint32(end), schema.InLine
				}
				p = end + len(s.lit)
				continue
			}
		case opRequest:
			if end := r.quickQuote(s, p); end >= 0 {
				r.setRequest(s, p, end)
				p = end + len(s.lit)
				continue
			}
		}
		if next < 0 {
			var reason string
			if next, reason = r.read(s, p); reason != "" {
				r.stop(i, max(next, p), reason)
				return false
			}
		}
		if !s.hasLit(line, next) {
			r.stop(i, next, "the text behind it differs from the format")
			return false
		}
		p = next + len(s.lit)
	}
	if p != len(line) {
		r.stop(len(steps), p, "the line goes on after the last directive")
		return false
	}
	return true
}

// quickQuote returns the first quote after p if nothing is escaped and the format continues there.
func (r *reader) quickQuote(s *step, p int) int {
	if r.escaped || !s.quoted || p > len(r.line) {
		return -1
	}
	n := bytes.IndexByte(r.line[p:], '"')
	if n < 0 || !s.hasLit(r.line, p+n) {
		return -1
	}
	return p + n
}

// hasLit reports whether the literal after the value is at p. Up to four bytes of it are compared
// as one number.
func (s *step) hasLit(line []byte, p int) bool {
	if s.litMask != 0 && p+4 <= len(line) {
		return binary.LittleEndian.Uint32(line[p:])&s.litMask == s.litWord
	}
	return hasPrefixAt(line, p, s.lit)
}

// stop records where forward stopped. The reason is stored in the record directly: in the reader it
// would make the clocks escape to the heap.
func (r *reader) stop(step, pos int, reason string) {
	r.step, r.pos = step, pos
	r.rec.Err.Reason = reason
}

func hasPrefixAt(line []byte, p int, lit string) bool {
	return len(line)-p >= len(lit) && string(line[p:p+len(lit)]) == lit
}

// read reads the value of s that starts at p. It returns the end of the value, or a reason and the
// position where it stopped.
func (r *reader) read(s *step, p int) (int, string) {
	if s.endless {
		return p, endless
	}
	switch s.op {
	case opQuoted:
		end := r.quoteEnd(p, s.lit)
		if end < 0 {
			return p, "no closing quote"
		}
		r.setText(s, p, end)
		return end, ""
	case opRequest:
		end := -1
		if s.lit != "" && s.lit[0] == '"' {
			end = r.quoteEnd(p, s.lit)
		} else {
			end = r.textEnd(s, p)
		}
		if end < 0 {
			return p, "no end of the request line"
		}
		if r.shared(s, p, end) || s.free && bytes.IndexByte(r.line[p:end], '"') >= 0 {
			return p, ambiguous // a server escapes quotes, so it may be another line's
		}
		r.setRequest(s, p, end)
		return end, ""
	case opAddr:
		end := r.textEnd(s, p)
		if end < 0 || !validAddr(r.line[p:end]) {
			return p, expected(s)
		}
		if r.shared(s, p, end) {
			return p, ambiguous
		}
		r.setAddr(s, p, end)
		return end, ""
	case opText:
		end := r.textEnd(s, p)
		if end < 0 {
			return p, "the text behind it does not come"
		}
		if !r.fitsText(s, p, end) {
			return p, expected(s)
		}
		if r.shared(s, p, end) || s.free && end-p > 2 && bytes.IndexByte(r.line[p:end], '"') >= 0 {
			return p, ambiguous // recover can read more of it
		}
		if s.tail {
			r.tail = p
		}
		r.setText(s, p, end)
		return end, ""
	}
	end, reason := r.readShort(s, p)
	if reason == "" && r.shared(s, p, end) && !s.clock.clf {
		return p, ambiguous
	}
	return end, reason
}

// readShort reads a value with only one possible end, or a query.
func (r *reader) readShort(s *step, p int) (int, string) {
	switch s.op {
	case opInt:
		return r.readInt(s, p)
	case opTime:
		return r.readTime(s, p)
	case opQuery:
		return r.readQuery(s, p)
	default:
		return r.readByte(s, p)
	}
}

// quoteEnd returns the end of the quoted value that starts at p: the first unescaped quote, if the
// format's literal is there. Apache escapes every quote in a value; recover handles other writers.
func (r *reader) quoteEnd(p int, lit string) int {
	q := r.quoteFrom(p, p)
	if q < 0 || !hasPrefixAt(r.line, q, lit) {
		return -1
	}
	return q
}

// quoteFrom returns the first unescaped quote from q on, -1 for none. A backslash before p escapes
// nothing.
func (r *reader) quoteFrom(p, q int) int {
	for q <= len(r.line) {
		i := bytes.IndexByte(r.line[q:], '"')
		if i < 0 {
			return -1
		}
		q += i
		if !r.escaped || !escapedAt(r.line, p, q) {
			return q
		}
		q++
	}
	return -1
}

// escapedAt reports whether the byte at q is escaped: an odd number of backslashes is before it,
// from p on.
func escapedAt(line []byte, p, q int) bool {
	n := 0
	for q-n-1 >= p && line[q-n-1] == '\\' {
		n++
	}
	return n&1 == 1
}

// textEnd returns the end of a value without quotes: the next literal, or the line's end.
func (r *reader) textEnd(s *step, p int) int {
	line := r.line
	if s.lit == "" {
		if s.tail {
			return r.tailEnd(s, p)
		}
		return len(line)
	}
	if s.lastColon {
		return r.lastColon(s, p)
	}
	if s.quoted {
		return r.quoteEnd(p, s.lit)
	}
	for q := p; q < len(line); q++ {
		i := bytes.IndexByte(line[q:], s.lit[0])
		if i < 0 {
			return -1
		}
		q += i
		if len(s.lit) == 1 || hasPrefixAt(line, q, s.lit) && (!s.last || q+len(s.lit) == len(line)) {
			return q
		}
	}
	return -1
}

// following returns the step after s, nil for the last.
func (r *reader) following(s *step) *step {
	for i := range r.f.steps[:len(r.f.steps)-1] {
		if &r.f.steps[i] == s {
			return &r.f.steps[i+1]
		}
	}
	return nil
}

// tailEnd is textEnd for a value directly followed by the next: a query starts with '?'.
func (r *reader) tailEnd(s *step, p int) int {
	n := r.following(s)
	if n.op != opQuery {
		return -1
	}
	end := r.textEnd(n, p)
	if end >= 0 {
		if i := bytes.IndexByte(r.line[p:end], '?'); i >= 0 {
			end = p + i
		}
	}
	return end
}

// lastColon is textEnd for %a:%p: the last colon before the number's own end.
func (r *reader) lastColon(s *step, p int) int {
	end := len(r.line)
	if n := r.following(s); n.lit != "" {
		i := bytes.Index(r.line[p:], []byte(n.lit))
		if i < 0 {
			return -1
		}
		end = p + i
	}
	if i := bytes.LastIndexByte(r.line[p:end], ':'); i >= 0 {
		return p + i
	}
	return -1
}
