package parse

import "bytes"

// ends iterates over the possible ends of the value of s that starts at p, from the left. Only text
// has more than one.
type ends struct {
	s    *step
	p, q int // start of the value, and the next position to search from: -1 for none
	// words is true while not every word so far is followed by a comma
	words bool
	raw   bool // an unescaped quote was passed
	mark  int  // position of the first '?' (text before %q) or quote from p on, len(line) for none
}

func (r *reader) ends(s *step, p int) ends {
	e := ends{s: s, p: p, q: p, mark: len(r.line)}
	if p > len(r.line) {
		e.q = -1
		return e
	}
	c := byte('"')
	if s.tail {
		c = '?'
	}
	if s.free || s.tail {
		if i := bytes.IndexByte(r.line[p:], c); i >= 0 {
			e.mark = p + i
		}
		r.g.looks += e.mark - p
	}
	return e
}

// next returns the next end, -1 after the last.
func (r *reader) next(e *ends) int {
	s := e.s
	switch {
	case e.q < 0, s.endless:
		return -1
	case s.op == opQuoted, s.quoted && (s.op == opRequest || s.op == opText && !s.word || s.op == opQuery):
		return r.nextQuote(e)
	case s.tail && s.op == opText:
		return r.nextTail(e)
	case s.free && s.lit != "":
		return r.nextText(e)
	case s.split:
		return r.nextWord(e)
	}
	e.q = -1
	if q := r.onlyEnd(s, e.p); q >= 0 && s.hasLit(r.line, q) && r.fits(s, e.p, q) {
		return q
	}
	return -1
}

// onlyEnd returns the end of the value of s if it is of a kind with only one possible end.
func (r *reader) onlyEnd(s *step, p int) int {
	switch s.op {
	case opInt:
		q := p
		if q < len(r.line) && r.line[q] == '-' {
			q++
		}
		for q < len(r.line) && r.line[q]-'0' <= 9 {
			q++
		}
		return q
	case opTime:
		return r.timeEnd(s, p, r.line)
	case opByte:
		return p + 1
	}
	return r.textEnd(s, p)
}

// nextText returns the next occurrence of the literal.
func (r *reader) nextText(e *ends) int {
	s, line := e.s, r.line
	for e.q >= 0 && e.q <= len(line) {
		i := bytes.IndexByte(line[e.q:], s.lit[0])
		if i < 0 || !r.try() {
			r.g.looks += len(line) - e.q
			break
		}
		r.g.looks += i + 1
		q := e.q + i
		ok := s.hasLit(line, q) && r.acceptText(e, q)
		if e.q = q + 1; !r.passText(e, q) {
			e.q = -1
		}
		if ok {
			return q
		}
	}
	e.q = -1
	return -1
}

// nextWord returns the next occurrence of the literal after a word.
func (r *reader) nextWord(e *ends) int {
	s := e.s
	for e.q >= 0 && e.q <= len(r.line) && r.try() {
		q := indexFrom(r.line, e.q, s.lit[0])
		if q < 0 {
			r.g.looks += len(r.line) - e.q
			break
		}
		r.g.looks += q + 1 - e.q
		if e.q > e.p && q-e.p > maxHostBytes { // searching on would take quadratic time
			r.g.tries = -1
			break
		}
		e.q = q + 1
		if s.hasLit(r.line, q) && r.fits(s, e.p, q) {
			return q
		}
	}
	e.q = -1
	return -1
}

// acceptText is fits for a text whose inside passText has checked.
func (r *reader) acceptText(e *ends, q int) bool {
	s, line, p := e.s, r.line, e.p
	switch {
	case q == p:
		return !s.user
	case line[p] == ' ' || line[q-1] == ' ',
		line[q-1] == '-' && q-p > 1 && line[q-2] == ' ' && !r.g.surplus,
		s.op == opQuery && line[p] != '?' && string(line[p:q]) != "-",
		s.list && line[q-1] == ',' && !e.words, r.cutsTime(p, q):
		return false
	}
	return e.mark >= q || !r.timeIn(p, q)
}

// passText reports whether the value may continue after the byte at q.
func (r *reader) passText(e *ends, q int) bool {
	line := r.line
	if q < e.p || line[q] != ' ' {
		return true
	}
	e.words = e.words || q == e.p || line[q-1] != ','
	switch {
	case q == e.p: // it would start with a blank
		return false
	case r.g.surplus:
		return true
	}
	return !(q == e.p+1 && line[e.p] == '-') && !(e.s.user && hasPrefixAt(line, q, " - "))
}

// nextTail is for text directly followed by the next directive: a query starts with '?', a time
// with its bracket. For other directives the end is unknown.
func (r *reader) nextTail(e *ends) int {
	n := r.following(e.s)
	for e.q >= 0 && e.q <= len(r.line) {
		q := len(r.line)
		switch {
		case n.op == opTime && n.clock.clf:
			q = indexFrom(r.line, e.q, '[')
		case n.op != opQuery:
			q = -1
		case n.lit != "":
			q = indexFrom(r.line, e.q, n.lit[0])
		}
		if n.op == opQuery && e.mark < len(r.line) && (q < 0 || e.mark < q) {
			q, e.q = e.mark, -1
			return q
		}
		if q < 0 || !r.try() {
			r.g.looks += len(r.line) - e.q
			break
		}
		r.g.looks += q + 1 - e.q
		e.q = q + 1
		if !r.cutsTime(e.p, q) {
			return q
		}
	}
	e.q = -1
	return -1
}

func indexFrom(line []byte, from int, c byte) int {
	if i := bytes.IndexByte(line[from:], c); i >= 0 {
		return from + i
	}
	return -1
}

// nextQuote returns the next unescaped quote.
func (r *reader) nextQuote(e *ends) int {
	s, p := e.s, e.p
	for e.q >= 0 {
		q := r.quoteFrom(p, e.q)
		if q < 0 || !r.try() {
			r.g.looks += len(r.line) - e.q
			break
		}
		r.g.looks += q + 1 - e.q
		ok := hasPrefixAt(r.line, q, s.lit) && r.acceptQuoted(e, q)
		e.q = q + 1
		if s.op == opRequest && r.isProtocol(p, q) { // Apache's own closing quote
			e.q = -1
		}
		e.raw = true
		if ok {
			return q
		}
	}
	e.q = -1
	return -1
}

func (r *reader) acceptQuoted(e *ends, q int) bool {
	switch {
	case !e.raw:
		return e.s.op == opQuoted || e.s.op == opRequest || r.fits(e.s, e.p, q)
	case e.s.op == opRequest && !r.isRequest(e.p, q), e.s.op == opText && !r.fitsText(e.s, e.p, q):
		return false
	}
	return !r.timeIn(e.p, q)
}
