package parse

import (
	"bytes"
	"strings"

	"sluice/schema"
)

// section is the steps between two quotes of a format: its text is lead, the steps' values with the
// literals between them, and tail.
type section struct {
	low, high  int
	lead, tail string
	quote      bool // it ends at a quote of the format, not at the end of the region
}

// sections splits the steps [low, high) at the quotes of their literals.
type sections struct {
	f         *Format
	low, high int
	lit, off  int // the literal after step lit, and the offset in it where the next section begins
}

func (r *reader) sections(low, high int) sections {
	return sections{f: r.f, low: low, high: high, lit: low - 1}
}

// rest is the literal's text from the start of the next section on.
func (c *sections) rest() string { return c.f.lead(c.lit + 1)[c.off:] }

func (c *sections) next() section {
	sec := section{low: c.lit + 1, high: c.lit + 1, lead: c.rest(), quote: true}
	if i := strings.IndexByte(sec.lead, '"'); i >= 0 {
		sec.lead = sec.lead[:i]
		c.off += i + 1
		return sec
	}
	for c.lit++; c.lit < c.high; c.lit++ {
		sec.high, sec.tail = c.lit+1, c.f.steps[c.lit].lit
		if i := strings.IndexByte(sec.tail, '"'); i >= 0 {
			sec.tail, c.off = sec.tail[:i], i+1
			return sec
		}
	}
	sec.quote = false
	return sec
}

// pins reads a region with as many quotes as its format: each section is between two of them.
func (r *reader) pins(low, high, from, to int) {
	for c := r.sections(low, high); ; {
		sec := c.next()
		if !sec.quote {
			r.section(sec, from, to)
			return
		}
		q := r.quoteFrom(from, from)
		r.section(sec, from, q)
		from = q + 1
	}
}

// walk reads a region with too many or too few quotes from its left end, as far as it matches its
// format. With too many quotes, and no second line that explains them, a value in quotes is
// accepted if the unquoted values after it fit.
func (r *reader) walk(low, high, from int, tooManyQuotes, torn bool) {
	c := r.sections(low, high)
	certainFrom, quoted := low, false
	for r.walkSection(&c, &from, torn) {
		if quoted = !quoted; quoted && c.lit >= certainFrom { // a section without quotes was read
			certainFrom = c.lit + 1
		}
	}
	for i := certainFrom; tooManyQuotes && i < min(c.lit+1, high); i++ {
		r.null(&r.f.steps[i])
	}
}

// walkSection reads the next section. It returns false where the region does not match its format.
func (r *reader) walkSection(c *sections, from *int, torn bool) bool {
	sec := c.next()
	q := -1
	if sec.quote {
		q = r.quoteFrom(*from, *from)
	}
	if q < 0 || torn && r.timeIn(*from, q) {
		r.steps(sec, *from)
		return false
	}
	if !hasPrefixAt(r.line, q+1, upToQuote(c.rest())) {
		r.differs(sec.high-1, q)
		return false
	}
	if !r.section(sec, *from, q) {
		return false
	}
	*from = q + 1
	return true
}

func upToQuote(lit string) string {
	before, _, _ := strings.Cut(lit, `"`)
	return before
}

// section reads the steps of a section that is all of line[from:to]. It returns false if the values
// are not there one by one.
func (r *reader) section(sec section, from, to int) bool {
	if sec.low == sec.high {
		if string(r.line[from:to]) == sec.lead {
			return true
		}
		r.differs(sec.low-1, from)
		return false
	}
	return r.fit(sec.low, sec.high, from, to, sec.lead, sec.tail) || r.words(sec, from, to)
}

// steps reads a section with an unknown end from its left end: the values that have only one
// possible end.
func (r *reader) steps(sec section, from int) {
	if !hasPrefixAt(r.line, from, sec.lead) {
		r.differs(sec.low-1, from)
		return
	}
	p := from + len(sec.lead)
	for i := sec.low; i < sec.high; i++ {
		s, lit := &r.f.steps[i], r.f.steps[i].lit
		if i == sec.high-1 {
			lit = sec.tail
		}
		q := -1
		if !s.free && !r.isQuoted(s) && !s.endless {
			q = r.onlyEnd(s, p)
		}
		if q < 0 || !r.fits(s, p, q) {
			if s.endless {
				r.note(p, s.directive, endless)
			} else if !s.free { // for text, forward has the better position
				r.unfit(s, p, max(p, q))
			}
			r.clearNames(sec.low, i, s.ident)
			return
		}
		if !hasPrefixAt(r.line, q, lit) || s.last && q+len(lit) != len(r.line) {
			r.differs(i, q)
			r.clearNames(sec.low, i, false)
			return
		}
		r.assign(s, p, q)
		p = q + len(lit)
	}
}

// clearNames clears the values that steps has read of [low, high) at the line's start, unless it is
// certain that this is a line of the format: any word may be a host name. An IP address makes it
// certain, unless the value after it is one, too.
func (r *reader) clearNames(low, high int, shifted bool) {
	steps := r.f.steps[low:high]
	for i := range steps {
		v := &r.rec.Values[steps[i].field]
		if low > 0 || !shifted && steps[i].op == opAddr && v.State != schema.Null && validIP(r.line[v.Start:v.End]) {
			return
		}
	}
	for i := range steps {
		if s := &steps[i]; s.op == opAddr || s.op == opText {
			r.null(s)
		}
	}
}

// words reads a section that does not fit line[from:to] word by word, if there are as many words as
// values. It returns whether there are.
func (r *reader) words(sec section, from, to int) bool {
	steps := r.f.steps[sec.low:sec.high]
	first, last, p := &steps[0], len(steps)-1, from
	started, ended := true, true // the first value starts at the start, the last one ends at the end
	switch {
	case hasPrefixAt(r.line, from, sec.lead):
		if p += len(sec.lead); isBlank(sec.lead) {
			p = from // there may be more words
		}
	case sec.low == 0 && !isBlank(sec.lead):
		started = false
		r.differs(-1, from)
	case !isBlank(sec.lead):
		r.differs(sec.low-1, from)
		return false
	}
	if !isBlank(sec.tail) {
		if ended = hasSuffixAt(r.line, to, sec.tail) && to-len(sec.tail) >= p; ended {
			to -= len(sec.tail)
		} else {
			r.differs(sec.high-1, to)
		}
	}
	want := 0
	for i := range steps {
		switch s := &steps[i]; {
		case s.endless || i < last && s.lit == "": // the format is ambiguous: no line fits it
			r.steps(sec, from)
			return false
		case i < last && !isBlank(s.lit):
			r.differs(sec.low+i, p)
			return false
		}
		want += steps[i].words()
	}
	n := 0
	for a, b := r.word(p, to); a < b; a, b = r.word(b, to) {
		n++
	}
	if n != want {
		reason := "the line has more values than its format"
		if n < want {
			reason = "the line has fewer values than its format"
		}
		r.note(from, first.directive, reason)
		if a, b := r.word(p, to); n < want && b < to && sec.low == 0 && started && hasPrefixAt(r.line, from, sec.lead) && onlyAddr(steps) && validIP(r.line[a:b]) {
			r.assign(first, a, b)
		}
		return false
	}
	end := p
	for i := range steps {
		a, b := r.word(end, to)
		for range steps[i].words() - 1 {
			_, b = r.word(b, to)
		}
		if (i > 0 || started) && (i < last || ended) {
			r.takeWord(sec, i, end, a, b, to)
		}
		end = b
	}
	if end != to && !(isBlank(sec.tail) && string(r.line[end:to]) == sec.tail) {
		r.differs(sec.high-1, end)
	}
	return true
}

// words is the number of words of the value of s if it has no blanks of its own.
func (s *step) words() int {
	n := 1
	for i := 0; s.op == opTime && i < len(s.clock.parts); i++ {
		if s.clock.parts[i] != 0 {
			continue
		}
		if i++; s.clock.parts[i] == ' ' {
			n++
		}
	}
	return n
}

// takeWord stores [a, b), the i-th value of its section, if it fits. The value before it ends at
// end. The blanks around a text may be part of it.
func (r *reader) takeWord(sec section, i, end, a, b, to int) {
	s := &r.f.steps[sec.low+i]
	before, behind := "", s.lit
	if i > 0 {
		before = r.f.steps[sec.low+i-1].lit
	} else if isBlank(sec.lead) {
		before = sec.lead
	}
	if sec.low+i == sec.high-1 {
		if behind = ""; isBlank(sec.tail) {
			behind = sec.tail
		}
	}
	started := string(r.line[end:a]) == before
	ended := hasPrefixAt(r.line, b, behind) && (b+len(behind) == to || b+len(behind) < to && !blankAt(r.line, b+len(behind)))
	switch {
	case !r.fits(s, a, b):
		r.unfit(s, a, b)
	case before != "" && end == a: // nothing separates it from the text before it
		r.differs(sec.low+i-1, a)
	case i == 0 && a > end && !isBlank(lastByte(r.f.lead(sec.low))): // only blanks may be repeated
		r.differs(sec.low-1, end)
	case behind != "" && b == to, sec.low+i == sec.high-1 && b < to && !isBlank(s.lit[:min(1, len(s.lit))]):
		r.differs(sec.low+i, b)
	case s.free && !(started && ended):
		r.note(a, s.directive, expected(s))
	default:
		r.assign(s, a, b)
		if !started {
			r.differs(sec.low+i-1, end)
		}
	}
}

// word returns the next word in line[p:to], a==b for none. A text in brackets with one blank is one
// word, like a time or a damaged time.
func (r *reader) word(p, to int) (a, b int) {
	line := r.line
	for p < to && blankAt(line, p) {
		p++
		r.g.looks++
	}
	if p < to && isTime(line, p) {
		return p, p + clfBytes
	}
	if p < to && line[p] == '[' && r.f.times > 0 {
		text := line[p:min(to, p+2*clfBytes)]
		if i := bytes.IndexByte(text, ']'); i > 0 && (p+i+1 == to || blankAt(line, p+i+1)) && bytes.Count(text[:i], []byte(" ")) == 1 && bytes.Count(text[:i], []byte("[")) == 1 {
			return p, p + i + 1
		}
	}
	for a = p; p < to && !blankAt(line, p); p++ {
		r.g.looks++
		if line[p] == '[' && isTime(line, p) {
			p += clfBytes - 1
		}
	}
	return a, min(p, to)
}

func blankAt(line []byte, p int) bool { return line[p] == ' ' || line[p] == '\t' }

func isBlank(s string) bool { return s == "" || s == " " || s == "\t" }

func lastByte(s string) string { return s[max(0, len(s)-1):] }

// onlyAddr reports whether the first of the steps is an address, and no other.
func onlyAddr(steps []step) bool {
	for i := range steps {
		if (steps[i].op == opAddr) != (i == 0) {
			return false
		}
	}
	return true
}

// null clears the value of a step.
func (r *reader) null(s *step) {
	r.rec.Values[s.field] = schema.Value{}
	if s.op == opRequest {
		for _, field := range s.request.all() {
			if field >= 0 {
				r.rec.Values[field] = schema.Value{}
			}
		}
	}
}
