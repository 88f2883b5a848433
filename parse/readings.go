package parse

import (
	"math/bits"
	"strings"
)

// maxStarts bounds the positions where one step may start. A line with more cannot be read with
// certainty.
const maxStarts = 64

// maxTimes bounds the complete times of a line that are recorded.
const maxTimes = 8

// readings are all ways in which some steps of a format can read a part of a line: the positions
// where each step may start, and which start of a step leads to which of the next. A value is
// certain if it is the same in all of them.
type readings struct {
	boundaries []boundary
	tries      int  // remaining number of positions to try in this line
	looks      int  // number of bytes of this line that were examined, for a test
	surplus    bool // also read texts that look like several values

	clocks [2]clock // those of the reader, for a format whose times are combined from parts

	times     [maxTimes]int // positions of complete times
	timeCount int           // maxTimes+1 for more
}

// boundary is the positions where one step may start.
type boundary struct {
	count     int
	starts    [maxStarts]int
	leads     [maxStarts]uint64 // reachable starts of the next step, as bits by index
	reachable uint64            // the starts that lead to the end
}

// add returns the index of a start, -1 if there are too many.
func (b *boundary) add(start int) int {
	for i := range b.count {
		if b.starts[i] == start {
			return i
		}
	}
	if b.count == maxStarts {
		return -1
	}
	b.starts[b.count], b.leads[b.count] = start, 0
	b.count++
	return b.count - 1
}

// certain returns the start if there is only one.
func (b *boundary) certain() (int, bool) {
	return b.starts[bits.TrailingZeros64(b.reachable)&(maxStarts-1)], b.reachable&(b.reachable-1) == 0
}

type outcome uint8

const (
	unread  outcome = iota // the steps do not match the text
	read                   // they do, in one way or several
	tooMany                // there are too many ways
)

// try counts a position that is tried.
func (r *reader) try() bool {
	r.g.tries--
	return r.g.tries >= 0
}

// readAll stores the certain values of the steps [low, high) in line[from:to]. A reading with a
// text that looks like several values is not accepted, but makes another reading uncertain.
func (r *reader) readAll(low, high, from, to int, tail string) outcome {
	found := r.search(low, high, from, to, tail)
	if found != read {
		return found
	}
	for i := low; i < high; i++ {
		if r.f.steps[i].rivals != "" {
			r.g.surplus = true
			found = r.search(low, high, from, to, tail)
			r.g.surplus = false
			break
		}
	}
	if found == read {
		r.take(low, high, tail)
	}
	return found
}

// search finds how the steps [low, high) can read line[from:to]. tail is the text after the last
// value: the step's literal, or a part of it.
func (r *reader) search(low, high, from, to int, tail string) outcome {
	g, steps, last := r.g, r.f.steps, high-low
	for len(g.boundaries) <= last {
		g.boundaries = append(g.boundaries, boundary{})
	}
	for i := range last + 1 {
		g.boundaries[i].count = 0
	}
	g.boundaries[0].add(from)
	line := r.line
	r.line = line[:to]
	defer func() { r.line = line }()
	for i := range last - 1 {
		b, next := &g.boundaries[i], &g.boundaries[i+1]
		s := &steps[low+i]
		for a := range b.count {
			e := r.ends(s, b.starts[a])
			for q := r.next(&e); q >= 0; q = r.next(&e) {
				start := q + len(s.lit)
				if !r.mayStart(&steps[low+i+1], start, low+i+1 == high-1) {
					continue
				}
				n := next.add(start)
				if n < 0 {
					return tooMany
				}
				b.leads[a] |= 1 << n
			}
		}
		if g.tries < 0 {
			return tooMany
		}
		if next.count == 0 {
			return unread
		}
	}
	g.boundaries[last].add(to)
	if b := &g.boundaries[last-1]; hasSuffixAt(r.line, to, tail) {
		for a := range b.count {
			start, end := b.starts[a], to-len(tail)
			if strings.HasPrefix(tail, `"`) && end > start && escapedAt(r.line, start, end) {
				continue // the value's own quote; the closing one is missing
			}
			if r.fits(&steps[high-1], start, end) {
				b.leads[a] = 1
			}
		}
	}
	return g.prune(last)
}

func hasSuffixAt(line []byte, end int, lit string) bool {
	return end >= len(lit) && hasPrefixAt(line, end-len(lit), lit)
}

// prune removes the starts that do not lead to the end.
func (g *readings) prune(last int) outcome {
	reachable := uint64(1)
	g.boundaries[last].reachable = reachable
	for i := last - 1; i >= 0; i-- {
		b := &g.boundaries[i]
		b.reachable = 0
		for a := range b.count {
			if b.leads[a]&reachable != 0 {
				b.reachable |= 1 << a
			}
		}
		reachable = b.reachable
	}
	if reachable == 0 {
		return unread
	}
	return read
}

// mayStart excludes positions where s cannot start, so that few are left.
func (r *reader) mayStart(s *step, p int, last bool) bool {
	if p >= len(r.line) {
		return p == len(r.line) && s.lit == ""
	}
	c := r.line[p]
	switch {
	case s.op == opTime && s.clock.clf:
		return s.nullable && c == '-' || isTime(r.line, p) && (last || s.hasLit(r.line, p+clfBytes))
	case s.op == opInt:
		return c == '-' || c-'0' <= 9
	case s.op == opQuery:
		return c == '?' || c == '-' || s.lit == "" || last || s.hasLit(r.line, p)
	case s.op == opAddr, s.word, s.user:
		return c != ' '
	case s.free:
		return c != ' ' || last || s.hasLit(r.line, p)
	}
	return true
}

// take stores the certain values of the readings that search found, and records where they differ.
// Values that differ are null.
func (r *reader) take(low, high int, tail string) {
	g, steps := r.g, r.f.steps
	for i := low; i < high; i++ {
		s, lit := &steps[i], steps[i].lit
		if i == high-1 {
			lit = tail
		}
		start, one := g.boundaries[i-low].certain()
		next, same := g.boundaries[i-low+1].certain()
		if one && same {
			r.assign(s, start, next-len(lit))
			continue
		}
		r.note(start, s.directive, ambiguous)
	}
}
