package parse

import "strings"

// anchors are the positions of the format's bracketed times in the line; the first n are known.
type anchors struct {
	at [maxTimes]int
	n  int
}

// forwardTimes returns the times that forward read, with their literals.
func (r *reader) forwardTimes() anchors {
	var a anchors
	for i := range r.f.steps[:r.step] {
		s := &r.f.steps[i]
		if s.op != opTime || !s.clock.clf {
			continue
		}
		v := &r.rec.Values[s.field]
		if a.n == maxTimes || v.Start == 0 || !isTime(r.line, int(v.Start)-1) {
			break
		}
		if i+1 < len(r.f.steps) && i+1 == r.step && r.f.steps[i+1].op == opTime {
			break // one of two times, unknown which
		}
		a.at[a.n] = int(v.Start) - 1
		a.n++
	}
	return a
}

// cut reads the line between its times. A complete time with the same number of quotes before or
// after it as in the format is one of the format's. A line with more of them is two lines; nothing
// is read of the second one.
func (r *reader) cut(known anchors) {
	found, count := r.ownTimes()
	torn := false
	switch {
	case r.f.times == 0:
		found, count = anchors{}, 0
	case count == r.f.times:
	case known.n > 0:
		found, torn = known, count > r.f.times
	case count > r.f.times && r.f.times == 1:
		found = r.onlyTime(found)
	default:
		found = anchors{}
	}
	low, from := 0, 0
	done := 0
	for i := range r.f.steps {
		s := &r.f.steps[i]
		if s.op != opTime || !s.clock.clf || done == found.n {
			continue
		}
		at := found.at[done]
		done++
		r.region(low, i, from, at, false)
		r.assign(s, at, at+clfBytes)
		low, from = i+1, at+clfBytes
	}
	r.region(low, len(r.f.steps), from, len(r.line), torn)
}

// ownTimes returns the complete times that are not in a quoted value: as many quotes as in the
// format are before or after them.
func (r *reader) ownTimes() (found anchors, count int) {
	g := r.g
	if g.timeCount > maxTimes || r.f.times == 0 {
		return found, g.timeCount
	}
	all, total := r.quotesIn(0, len(r.line)), strings.Count(r.f.prefix, `"`)+r.formatQuotes(0, len(r.f.steps))
	for _, t := range g.times[:g.timeCount] {
		before := r.quotesIn(0, t)
		quotes := strings.Count(r.f.prefix, `"`)
		for i := range r.f.steps {
			s := &r.f.steps[i]
			if s.op == opTime && s.clock.clf && (before == quotes || all-before == total-quotes) {
				found.at[found.n] = t
				found.n++
				break
			}
			quotes += strings.Count(s.lit, `"`)
		}
	}
	return found, found.n
}

// onlyTime returns the one of several times before which the line fits, and after which the format
// continues.
func (r *reader) onlyTime(several anchors) anchors {
	i := 0
	for !(r.f.steps[i].op == opTime && r.f.steps[i].clock.clf) {
		i++
	}
	var one anchors
	for _, t := range several.at[:several.n] {
		if !r.f.steps[i].hasLit(r.line, t+clfBytes) {
			continue
		}
		if one.n++; one.n > 1 {
			return anchors{}
		}
		one.at[0] = t
	}
	if one.n == 1 && i > 0 && !(hasPrefixAt(r.line, 0, r.f.prefix) && r.search(0, i, len(r.f.prefix), one.at[0], r.f.steps[i-1].lit) == read) {
		return anchors{}
	}
	return one
}

// lead is the literal before step low.
func (f *Format) lead(low int) string {
	if low == 0 {
		return f.prefix
	}
	return f.steps[low-1].lit
}

// region reads the steps [low, high), which are in line[from:to] with the literal before them. torn
// means that another line begins in it.
func (r *reader) region(low, high, from, to int, torn bool) {
	lead := r.f.lead(low)
	if low == high {
		if from+len(lead) != to || !hasPrefixAt(r.line, from, lead) {
			r.differs(low-1, from)
		}
		return
	}
	tail := r.f.steps[high-1].lit
	if !torn && r.fit(low, high, from, to, lead, tail) {
		return
	}
	line := r.line
	r.line = line[:to]
	defer func() {
		r.line = line
		if low == 0 && !isBlank(lead) && !hasPrefixAt(line, 0, lead) {
			r.null(&r.f.steps[0]) // its start is unknown
		}
	}()
	quotes := strings.Count(lead, `"`) + r.formatQuotes(low, high)
	if !torn && r.formatQuotes(low, high) == 0 {
		r.section(section{low: low, high: high, lead: lead, tail: tail}, from, to)
	} else if have := r.quotesIn(from, to); torn || have != quotes {
		r.walk(low, high, from, have > quotes && !torn, torn)
	} else {
		r.pins(low, high, from, to)
	}
}

// fit stores the values of the steps [low, high) if lead, their values and tail fill line[from:to],
// and reports whether they do. If there are too many ways to read them, it notes an error and also
// returns true.
func (r *reader) fit(low, high, from, to int, lead, tail string) bool {
	if !hasPrefixAt(r.line, from, lead) || from+len(lead) > to {
		return false
	}
	switch r.readAll(low, high, from+len(lead), to, tail) {
	case read:
		return true
	case tooMany:
		r.note(from, r.f.steps[low].directive, ambiguous)
		return true
	}
	return false
}

// differs records that the text after step i is not the format's.
func (r *reader) differs(i, at int) {
	switch steps := r.f.steps; {
	case i < 0:
		r.note(at, steps[0].directive, "the line does not start as its format does")
	case i == len(steps)-1 && at < len(r.line):
		r.note(at, "end of the format", "the line goes on after the last directive")
	default:
		r.note(at, steps[i].directive, "the text behind it differs from the format")
	}
}
