package parse

import (
	"bytes"
	"encoding/binary"

	"sluice/schema"
)

// Parse reads one line, without its newline, into rec. The record's spans point
// into line, so line must stay as it is while the record is used. Parse always
// succeeds: what could not be read is null, and rec.Err says where and why.
func (f *Format) Parse(line []byte, rec *schema.Record) {
	if f.isWrapped(line) {
		f.parseWrapped(line, rec)
		return
	}
	f.parseBare(line, rec)
}

// parseBare is Parse for a line that nothing stands around.
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
		v := &rec.Values[field]
		rec.Time, rec.Dated = v.Num, v.State != schema.Null
	}
}

// parseParts is Parse for a format whose time is put together from several
// directives. It has a frame of its own, because clearing two clocks costs as
// much as reading a time.
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

// reader is one line being read. It lives on Parse's stack.
type reader struct {
	f       *Format
	rec     *schema.Record
	line    []byte
	escaped bool      // there is a backslash somewhere in the line
	clocks  *[2]clock // of time and end_time, where they are of parts
	zone    int32     // of the last %t

	// where forward stopped: at which step, and where it could not go on
	step, pos int
	tail      int // where the last value with nothing behind it starts: %U of %U%q

	g *readings // of a line that leaves its format
}

func (r *reader) begin(line []byte) {
	r.line, r.escaped = trimCR(line), bytes.IndexByte(line, '\\') >= 0
}

// trimCR cuts the CR of a file written with CRLF: it belongs to the line and to
// no field.
func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// forward runs the steps from the left. It returns false at the first one that
// does not fit. The values that nearly every line has are read here and in the
// quick functions, which answer -1 to anything else; that is left to read. The
// record's values are null before, so null is not stored.
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

// quickQuote returns the first quote behind p if nothing is escaped and the
// format goes on there.
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

// hasLit reports whether the text behind the value stands at p. Up to four
// bytes of it are compared as one number.
func (s *step) hasLit(line []byte, p int) bool {
	if s.litMask != 0 && p+4 <= len(line) {
		return binary.LittleEndian.Uint32(line[p:])&s.litMask == s.litWord
	}
	return hasPrefixAt(line, p, s.lit)
}

// stop notes where forward stopped. The reason goes straight to the record: in
// the reader it would make the clocks escape to the heap.
func (r *reader) stop(step, pos int, reason string) {
	r.step, r.pos = step, pos
	r.rec.Err.Reason = reason
}

func hasPrefixAt(line []byte, p int, lit string) bool {
	return len(line)-p >= len(lit) && string(line[p:p+len(lit)]) == lit
}

// read reads the value of s that starts at p. It returns where the value ends,
// or a reason and where it could not be read on.
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
		if r.shared(s, p, end) {
			return p, ambiguous
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
			return p, ambiguous // recover knows more of it
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

// readShort reads a value that says itself where it ends, or a query.
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

// quoteEnd returns where the quoted value that starts at p ends: at the first
// quote that is not escaped, if the format's literal stands there. Apache escapes
// every quote in a value; what other writers leave is for recover.
func (r *reader) quoteEnd(p int, lit string) int {
	q := r.quoteFrom(p, p)
	if q < 0 || !hasPrefixAt(r.line, q, lit) {
		return -1
	}
	return q
}

// quoteFrom returns the first quote from q on that is not escaped, -1 for none.
// A backslash before p escapes nothing.
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

// escapedAt reports whether the byte at q is escaped: an odd number of
// backslashes stands before it, from p on.
func escapedAt(line []byte, p, q int) bool {
	n := 0
	for q-n-1 >= p && line[q-n-1] == '\\' {
		n++
	}
	return n&1 == 1
}

// textEnd returns where a value without quotes ends: where the literal behind
// it comes, or at the line's end.
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

// following is the step behind s, nil for the last.
func (r *reader) following(s *step) *step {
	for i := range r.f.steps[:len(r.f.steps)-1] {
		if &r.f.steps[i] == s {
			return &r.f.steps[i+1]
		}
	}
	return nil
}

// tailEnd is textEnd where nothing separates the value from the next: a query
// starts with '?'.
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
