package parse

import (
	"bytes"

	"sluice/schema"
)

// maxCandidates bounds how many places are tried for the start of a value that
// is read from the right.
const maxCandidates = 16

// recover reads a line that forward could not, from its other end. Steps behind
// the one that failed are read right to left as far as they go. Where both ends
// meet in one text value the line was only ambiguous (a user's name with a
// space and a bracket, a request without quotes) and nothing is wrong with it;
// otherwise what lies between them stays null and the record says where and why.
func (r *reader) recover() {
	steps := r.f.steps
	failed := r.step
	if failed == len(steps) { // everything was read, and there is more
		if r.extend(len(steps)-1, r.start, len(r.line)) {
			r.clear()
			return
		}
		r.fail("end of the format")
		return
	}
	first, start := r.backward(failed)
	for i := failed; i < first; i++ {
		r.null(&steps[i])
	}
	switch {
	case first == failed && failed > 0:
		prev := &steps[failed-1]
		end := start - len(prev.lit)
		if r.extend(failed-1, r.start, end) {
			r.clear()
			return
		}
		if prev.op == opText && end >= r.start && surplus(r.line[r.start:end]) {
			r.shifted()
			return
		}
	case first == failed && start == len(r.f.prefix):
		if !r.noPrefix() {
			r.clear()
			return
		}
	case first == failed+1:
		if r.extend(failed, r.at, start-len(steps[failed].lit)) {
			r.clear()
			return
		}
	}
	r.fail(steps[failed].directive)
}

// noPrefix reports whether the line lacks the text that the format starts with.
func (r *reader) noPrefix() bool { return !hasPrefixAt(r.line, 0, r.f.prefix) }

// clear takes back the error: the line was only ambiguous.
func (r *reader) clear() { r.rec.Err = schema.ParseError{} }

func (r *reader) fail(directive string) {
	r.rec.Err.Offset, r.rec.Err.Directive = r.pos, directive
}

// extend takes all of [start, end) as the text value of step i, because the
// text that seemed to end it was part of it.
func (r *reader) extend(i, start, end int) bool {
	s := &r.f.steps[i]
	if end < start || start < 0 || s.tail || !hasPrefixAt(r.line, end, s.lit) {
		return false
	}
	switch s.op {
	case opAddr:
		return false // no address has a space
	case opText:
		if surplus(r.line[start:end]) {
			return false
		}
		r.setText(s, start, end)
	case opQuoted:
		r.setText(s, start, end)
	case opRequest:
		r.null(s)
		r.setRequest(s, start, end)
	case opQuery:
		return s.request.path > 0 && r.extendPath(s, end)
	default:
		return false
	}
	return true
}

// extendPath takes all up to end as %U%q: the query starts at the first '?'.
func (r *reader) extendPath(s *step, end int) bool {
	query := end
	if i := bytes.IndexByte(r.line[r.tail:end], '?'); i >= 0 {
		query = r.tail + i
	}
	r.set(s.request.path-1, r.tail, query)
	next, reason := r.readQueryTo(s, query, end)
	return reason == "" && next == end
}

// surplus reports whether a text that is to be one value looks like several: a
// dash on its own is another field's null.
func surplus(b []byte) bool {
	return bytes.HasPrefix(b, []byte("- ")) || bytes.HasSuffix(b, []byte(" -"))
}

// shifted reads a line that has more values in front than its format: what
// forward read stands in the wrong fields, so only the right end is believed.
func (r *reader) shifted() {
	r.at = 0
	first, _ := r.backward(0)
	for i := range first {
		r.null(&r.f.steps[i])
	}
	if first == 0 {
		r.clear()
		return
	}
	r.pos, r.rec.Err.Reason = len(r.f.prefix), "the line has more values than its format"
	r.fail(r.f.steps[first-1].directive)
}

// backward reads steps from the last down to low. It returns the first step
// that was read and where its value starts; len(steps) and the line's end when
// none was.
func (r *reader) backward(low int) (int, int) {
	steps := r.f.steps
	start := len(r.line)
	for i := len(steps) - 1; i >= low; i-- {
		s := &steps[i]
		end := start - len(s.lit)
		if end < 0 || !hasPrefixAt(r.line, end, s.lit) {
			return i + 1, start
		}
		before := r.f.prefix
		if i > 0 {
			before = steps[i-1].lit
		}
		from, ok := r.readBack(s, before, end, i == 0)
		if !ok || from < r.at {
			r.null(s)
			return i + 1, start
		}
		start = from
	}
	return low, start
}

// readBack reads the value of s that ends at end: it starts where before, the
// literal in front of it, comes last. It returns where.
func (r *reader) readBack(s *step, before string, end int, first bool) (int, bool) {
	if first {
		return len(r.f.prefix), r.whole(s, len(before), end)
	}
	if before == "" {
		return 0, false
	}
	limit := end
	for range maxCandidates {
		q := bytes.LastIndex(r.line[:limit], []byte(before))
		if q < 0 || q+len(before) < r.at {
			return 0, false
		}
		start := q + len(before)
		quote := before[len(before)-1] == '"' && escapedAt(r.line, 0, q+len(before)-1)
		if !quote && start <= end && r.whole(s, start, end) {
			return start, true
		}
		limit = q + len(before) - 1
	}
	return 0, false
}

// whole reads the value of s that is exactly [start, end).
func (r *reader) whole(s *step, start, end int) bool {
	if start > end {
		return false
	}
	switch s.op {
	case opText, opAddr, opQuoted:
		if s.op == opAddr {
			if r.readIPv4(s, start) == end {
				return true
			}
			if !plausibleAddr(r.line[start:end]) {
				return false
			}
		}
		r.setText(s, start, end)
		return true
	case opRequest:
		r.null(s)
		r.setRequest(s, start, end)
		return true
	}
	next, reason := r.read(s, start)
	return reason == "" && next == end
}

// null takes back what a step may have stored.
func (r *reader) null(s *step) {
	r.rec.Values[s.field] = schema.Value{}
	if s.op == opTime && r.clocks != nil {
		r.clock(s.clock.end).seen &^= s.part
	}
	if s.op == opRequest {
		for _, field := range [...]int{s.request.method, s.request.path, s.request.query, s.request.protocol} {
			if field >= 0 {
				r.rec.Values[field] = schema.Value{}
			}
		}
	}
}
