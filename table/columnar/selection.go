package columnar

import (
	"math/bits"

	"sluice/schema"
)

// Selection is some rows of a batch, a bit for each; nil is all of them.
type Selection []uint64

// Has reports whether row i is selected.
func (s Selection) Has(i int) bool { return s == nil || s[i>>6]>>(i&63)&1 != 0 }

// Count returns the number of selected rows of the batch.
func (s Selection) Count(rows int) int {
	if s == nil {
		return rows
	}
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// fill returns a selection of all rows in dst's memory.
func (s Selection) fill(rows int) Selection {
	words := (rows + 63) / 64
	if cap(s) < words {
		s = make(Selection, words)
	}
	s = s[:words]
	for i := range s {
		s[i] = ^uint64(0)
	}
	if rest := rows & 63; rest != 0 {
		s[words-1] = 1<<rest - 1
	}
	return s
}

// slice returns the rows [from, to) as a selection of their own, in dst's memory.
func (s Selection) slice(dst Selection, from, to int) Selection {
	dst = dst.fill(to - from)
	word, shift := from>>6, uint(from)&63
	for i := range dst {
		w := s[word+i] >> shift
		if shift > 0 && word+i+1 < len(s) {
			w |= s[word+i+1] << (64 - shift)
		}
		dst[i] &= w
	}
	return dst
}

func (s Selection) clear(i int) { s[i>>6] &^= 1 << (i & 63) }

// chooser selects the rows of a part that count and that a query selects. It is not safe for
// concurrent use.
type chooser struct {
	from, to int64
	streams  streamSet
	counts   map[schema.StreamID]schema.RangeSet
	selected Selection
	wanted   []choice // of the entries of the stream column's dictionary
}

// choice is the selection of a stream's rows.
type choice struct {
	known, wanted bool
	ranges        schema.RangeSet // selected ranges; nil is all
}

// byTime reports whether rows may have to be excluded by their time.
func (c *chooser) byTime(g *GroupInfo) bool {
	return c.from > 0 && (g.Undated > 0 || g.MinTime < c.from) || c.to > 0 && g.MaxTime >= c.to
}

// columns returns the names of the columns that choose reads in a group.
func (c *chooser) columns(g *GroupInfo) []string {
	var names []string
	if c.byTime(g) {
		names = append(names, schema.TimeField)
	}
	if c.streams != nil || len(c.counts) > 0 {
		names = append(names, schema.StreamField)
	}
	if len(c.counts) > 0 {
		names = append(names, schema.OffsetField)
	}
	return names
}

// choose returns the selected rows of a batch that was read with the columns of g, valid
// until the next call.
func (c *chooser) choose(g *GroupInfo, b *Batch) Selection {
	if !c.byTime(g) && c.streams == nil && len(c.counts) == 0 {
		return nil
	}
	c.selected = c.selected.fill(b.Rows)
	if c.byTime(g) {
		c.chooseTimes(b)
	}
	if c.streams != nil || len(c.counts) > 0 {
		c.chooseStreams(b)
	}
	return c.selected
}

func (c *chooser) chooseTimes(b *Batch) {
	times := b.Column(schema.TimeField)
	for i := range b.Rows {
		var t int64
		if times != nil && !times.Null(i) {
			t = times.Ints[i]
		}
		if t < c.from || c.to > 0 && t >= c.to {
			c.selected.clear(i)
		}
	}
}

func (c *chooser) chooseStreams(b *Batch) {
	streams, offsets := b.Column(schema.StreamField), b.Column(schema.OffsetField)
	c.wanted = c.wanted[:0]
	for range streams.Dict {
		c.wanted = append(c.wanted, choice{})
	}
	for i, code := range streams.Codes {
		w := &c.wanted[code]
		if !w.known {
			*w = c.choiceOf(streams.Dict[code])
		}
		if !w.wanted || w.ranges != nil && !w.ranges.Has(offsets.Ints[i]) {
			c.selected.clear(i)
		}
	}
}

func (c *chooser) choiceOf(text []byte) choice {
	id, err := schema.ParseStreamID(string(text))
	if err != nil {
		return choice{known: true}
	}
	ranges, partly := c.counts[id]
	if partly && ranges == nil {
		ranges = schema.RangeSet{}
	}
	return choice{known: true, wanted: c.streams.has(id), ranges: ranges}
}
