package columnar

import (
	"slices"

	"sluice/schema"
)

// Chunk is rows of one stream as columns, in memory. The zero Chunk is ready for use. It is
// not safe for concurrent use.
type Chunk struct {
	shape *shape

	offsets     []int64
	times       []int64 // 0 for a row without a time
	zones       []int64
	dated       []bool
	texts       []texts // of the shape's text fields, in their order
	ints        []ints  // and of the others
	parseErrors texts
	lines       texts // without an index, as lines are seldom equal

	first, last int64 // event times, 0 without a dated row
}

// Reset empties the chunk and keeps its memory.
func (c *Chunk) Reset() {
	c.offsets, c.times, c.zones, c.dated = c.offsets[:0], c.times[:0], c.zones[:0], c.dated[:0]
	for i := range c.texts {
		c.texts[i].reset()
	}
	for i := range c.ints {
		c.ints[i].reset()
	}
	c.parseErrors.reset()
	c.lines.reset()
	c.first, c.last = 0, 0
}

// Len is the number of rows.
func (c *Chunk) Len() int { return len(c.offsets) }

// textBytes is the maximum length of its different texts in a row group: one that is not UTF-8
// becomes up to four times as long.
func (c *Chunk) textBytes() int {
	n := 4*len(c.parseErrors.dict.Data) + len(c.lines.dict.Data)
	for i := range c.texts {
		n += 4 * len(c.texts[i].dict.Data)
	}
	return n
}

// take sets the chunk's shape.
func (c *Chunk) take(h *shape) {
	if c.Len() > 0 {
		panic("columnar: a chunk has rows of another encoder")
	}
	texts, ints := 0, 0
	for _, f := range h.fields {
		if isText(f.kind) {
			texts++
		} else {
			ints++
		}
	}
	c.texts = resized(c.texts, texts)
	c.ints = resized(c.ints, ints)
	for i := range c.texts {
		c.texts[i].reset()
	}
	for i := range c.ints {
		c.ints[i].reset()
	}
	c.shape = h
}

// resized returns n elements, reusing those of b.
func resized[T any](b []T, n int) []T {
	if cap(b) < n {
		return append(b[:cap(b)], make([]T, n-cap(b))...)
	}
	return b[:n]
}

func (c *Chunk) extend(t int64) {
	if c.first == 0 || t < c.first {
		c.first = t
	}
	c.last = max(c.last, t)
}

// rows returns the rows [from, to) of the lines that begin in a range. Rows are in the order of
// their offsets.
func (c *Chunk) rows(r schema.Range) (from, to int) {
	from, _ = slices.BinarySearch(c.offsets, r.Start)
	to, _ = slices.BinarySearch(c.offsets, r.End)
	return from, to
}

// errors counts the rows [from, to) with a parse error.
func (c *Chunk) errors(from, to int) (n int64) {
	for _, code := range c.parseErrors.codes[from:to] {
		if code >= 0 {
			n++
		}
	}
	return n
}

// span returns the earliest and latest event time of the rows [from, to), 0 without a dated row.
func (c *Chunk) span(from, to int) (first, last int64) {
	if from == 0 && to == c.Len() {
		return c.first, c.last
	}
	var m StreamMeta
	for i := from; i < to; i++ {
		if c.dated[i] {
			m.extend(c.times[i], c.times[i])
		}
	}
	return m.First, m.Last
}
