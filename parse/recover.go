package parse

import (
	"bytes"
	"strings"

	"sluice/schema"
)

// recover parses a line that does not match its format from left to right. A value is stored only
// if it is certain:
//
//  1. All readings of the whole line are searched. If there is only one (a user with a blank, a
//     request without quotes), the line is read without an error. If there are several, the values
//     that differ are null.
//  2. A line that cannot be read as a whole is cut at its fixed points: complete times in brackets,
//     then unescaped quotes. The part between two of them is read separately, in the same way.
//  3. Between two fixed points that do not fit, a damaged value does not affect others if there are
//     as many values as in the format. Otherwise all are null.
//
// step and pos are where forward stopped. It uses a reader of its own, because the clocks of
// forward's would escape to the heap. The result must be returned to f.readings.
func (f *Format) recover(line []byte, rec *schema.Record, step, pos int) *readings {
	g, ok := f.readings.Get().(*readings)
	if !ok {
		g = new(readings)
	}
	r := reader{f: f, rec: rec, g: g, step: step, pos: pos}
	if f.parts {
		r.clocks = &g.clocks
	}
	r.begin(line)
	r.all()
	return g
}

func (r *reader) all() {
	g, steps := r.g, r.f.steps
	g.tries, g.looks = len(r.line)+spareTries, len(r.line)
	r.findTimes()
	known := r.forwardTimes()
	directive, reason := "end of the format", r.rec.Err.Reason
	if r.step < len(steps) {
		directive = steps[r.step].directive
	}
	r.nullAll()
	r.rec.Err = schema.ParseError{}
	last := len(steps) - 1
	if hasPrefixAt(r.line, 0, r.f.prefix) && r.readAll(0, len(steps), len(r.f.prefix), len(r.line), steps[last].lit) == read {
		return
	}
	g.tries = len(r.line) + spareTries
	r.cut(known)
	if !r.rec.Err.Set() {
		r.note(r.pos, directive, reason)
	}
}

// spareTries is the number of positions that may be tried in addition to one for each byte.
const spareTries = 4096

// nullAll clears the values that forward stored.
func (r *reader) nullAll() {
	clear(r.rec.Values)
	r.rec.SetScratch(r.rec.Scratch()[:0])
	r.rec.ZoneSeconds = 0
	if r.clocks != nil {
		*r.clocks = [2]clock{}
	}
}

// note sets the record's error; of several the leftmost is kept.
func (r *reader) note(offset int, directive, reason string) {
	if e := &r.rec.Err; !e.Set() || offset < e.Offset {
		*e = schema.ParseError{Offset: offset, Directive: directive, Reason: reason}
	}
}

// unfit records that [p, q) is not a value of s.
func (r *reader) unfit(s *step, p, q int) {
	reason := expected(s)
	if s.op == opInt && q-p > 18 && len(bytes.Trim(r.line[p:q], "0123456789")) == 0 {
		reason = "a number of more than 18 digits"
	}
	r.note(p, s.directive, reason)
}

// assign stores [p, q) as the value of s, which it fits.
func (r *reader) assign(s *step, p, q int) {
	line := r.line
	r.line = line[:q]
	switch s.op {
	case opAddr:
		r.setAddr(s, p, q)
	case opRequest:
		r.setRequest(s, p, q)
	case opInt:
		r.readInt(s, p)
	case opTime:
		if q-p > 1 {
			r.readTime(s, p)
		}
	case opQuery:
		if _, reason := r.readQueryTo(s, p, q); reason != "" {
			r.note(p, s.directive, reason)
		}
	case opByte:
		r.readByte(s, p)
	default:
		if !r.isQuoted(s) && !r.fitsText(s, p, q) {
			r.note(p, s.directive, expected(s))
			break
		}
		if s.tail {
			r.tail = p
		}
		r.setText(s, p, q)
	}
	r.line = line
}

// findTimes finds the complete times in brackets.
func (r *reader) findTimes() {
	g := r.g
	g.timeCount = 0
	if r.f.times == 0 && !bytes.Contains(r.line, []byte(`"`)) {
		return
	}
	for p := 0; g.timeCount <= maxTimes; p++ {
		i := bytes.IndexByte(r.line[p:], '[')
		if i < 0 {
			return
		}
		p += i
		if isTime(r.line, p) {
			if g.timeCount < maxTimes {
				g.times[g.timeCount] = p
			}
			g.timeCount++
		}
	}
}

// timeIn reports whether there is a complete time in [p, q).
func (r *reader) timeIn(p, q int) bool {
	g := r.g
	for _, t := range g.times[:min(g.timeCount, maxTimes)] {
		if t >= p && t+clfBytes <= q {
			return true
		}
	}
	return g.timeCount > maxTimes && q > g.times[maxTimes-1]
}

// torn reports whether [p, q) has a time and a quote, as if another line began within this one.
func (r *reader) torn(p, q int) bool {
	if !r.timeIn(p, q) {
		return false
	}
	i := r.quoteFrom(p, p)
	return i >= 0 && i < q
}

// quotesIn counts the unescaped quotes in [p, q).
func (r *reader) quotesIn(p, q int) int {
	n := 0
	r.g.looks += q - p
	for i := r.quoteFrom(p, p); i >= 0 && i < q; i = r.quoteFrom(p, i+1) {
		n++
	}
	return n
}

// formatQuotes counts the quotes in the literals of the steps [low, high).
func (r *reader) formatQuotes(low, high int) int {
	n := 0
	for i := low; i < high; i++ {
		n += strings.Count(r.f.steps[i].lit, `"`)
	}
	return n
}
