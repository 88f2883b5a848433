package ingest

import (
	"slices"
	"sort"

	"sluice/schema"
)

// rangeSet is a set of bytes of one stream: sorted ranges that do not touch.
type rangeSet []schema.Range

// add puts r into the set.
func (s *rangeSet) add(r schema.Range) {
	if r.Len() <= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(*s, r.Start, func(x schema.Range, start int64) int {
		if x.End < start {
			return -1
		}
		return 1
	})
	j := i
	for j < len(*s) && (*s)[j].Start <= r.End {
		r.Start, r.End = min(r.Start, (*s)[j].Start), max(r.End, (*s)[j].End)
		j++
	}
	*s = slices.Replace(*s, i, j, r)
}

// remove takes r out of the set.
func (s *rangeSet) remove(r schema.Range) {
	var out rangeSet
	for _, x := range *s {
		if x.Start < min(x.End, r.Start) {
			out = append(out, schema.Range{Start: x.Start, End: min(x.End, r.Start)})
		}
		if max(x.Start, r.End) < x.End {
			out = append(out, schema.Range{Start: max(x.Start, r.End), End: x.End})
		}
	}
	*s = out
}

// missing returns the parts of r that are not in the set, in order.
func (s rangeSet) missing(r schema.Range) []schema.Range {
	var out []schema.Range
	for _, x := range s {
		if x.End <= r.Start {
			continue
		}
		if x.Start >= r.End {
			break
		}
		if x.Start > r.Start {
			out = append(out, schema.Range{Start: r.Start, End: x.Start})
		}
		r.Start = x.End
	}
	if r.Len() > 0 {
		out = append(out, r)
	}
	return out
}

// reached is the end of the last range.
func (s rangeSet) reached() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].End
}

// prefix is the position up to which the set has every byte from the stream's
// beginning.
func (s rangeSet) prefix() int64 { return s.reach(0) }

// reach is the position up to which the set has every byte from at on; at itself, where
// it has not the first of them.
func (s rangeSet) reach(at int64) int64 {
	i := sort.Search(len(s), func(i int) bool { return s[i].End > at })
	if i < len(s) && s[i].Start <= at {
		return s[i].End
	}
	return at
}

// prefixOver is prefix where the bytes of gaps count as had; it does not end with a gap.
func (s rangeSet) prefixOver(gaps rangeSet) (end int64) {
	for at := int64(0); ; {
		next := s.reach(at)
		if next > at {
			end = next
		} else if next = gaps.reach(at); next == at {
			return end
		}
		at = next
	}
}
