package schema

import (
	"slices"
	"sort"
)

// RangeSet is a set of positions of one stream: sorted ranges that are not adjacent.
type RangeSet []Range

// Add adds r to the set.
func (s *RangeSet) Add(r Range) {
	if r.Len() <= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(*s, r.Start, func(x Range, start int64) int {
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

// Missing returns the parts of r that are not in the set, in order.
func (s RangeSet) Missing(r Range) []Range {
	var out []Range
	i, _ := slices.BinarySearchFunc(s, r.Start, func(x Range, start int64) int {
		if x.End <= start {
			return -1
		}
		return 1
	})
	for _, x := range s[i:] {
		if x.Start >= r.End {
			break
		}
		if x.Start > r.Start {
			out = append(out, Range{Start: r.Start, End: x.Start})
		}
		r.Start = x.End
	}
	if r.Len() > 0 {
		out = append(out, r)
	}
	return out
}

// Has reports whether the byte at offset is in the set.
func (s RangeSet) Has(offset int64) bool {
	_, found := slices.BinarySearchFunc(s, offset, func(x Range, offset int64) int {
		switch {
		case x.End <= offset:
			return -1
		case x.Start > offset:
			return 1
		}
		return 0
	})
	return found
}

// Common returns the number of bytes of r in the set.
func (s RangeSet) Common(r Range) int64 {
	n := r.Len()
	for _, m := range s.Missing(r) {
		n -= m.Len()
	}
	return n
}

// Both returns the parts of r that are in the set, in order.
func (s RangeSet) Both(r Range) []Range {
	var out []Range
	for _, m := range s.Missing(r) {
		if m.Start > r.Start {
			out = append(out, Range{Start: r.Start, End: m.Start})
		}
		r.Start = m.End
	}
	if r.Len() > 0 {
		out = append(out, r)
	}
	return out
}

// Remove takes r out of the set.
func (s *RangeSet) Remove(r Range) {
	var out RangeSet
	for _, x := range *s {
		if x.Start < min(x.End, r.Start) {
			out = append(out, Range{Start: x.Start, End: min(x.End, r.Start)})
		}
		if max(x.Start, r.End) < x.End {
			out = append(out, Range{Start: max(x.Start, r.End), End: x.End})
		}
	}
	*s = out
}

// Reached is the end of the last range.
func (s RangeSet) Reached() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].End
}

// Prefix is the position up to which the set has every byte from the stream's
// beginning.
func (s RangeSet) Prefix() int64 { return s.reach(0) }

// reach is the position up to which the set has every byte from at on; at itself, where
// it has not the first of them.
func (s RangeSet) reach(at int64) int64 {
	i := sort.Search(len(s), func(i int) bool { return s[i].End > at })
	if i < len(s) && s[i].Start <= at {
		return s[i].End
	}
	return at
}

// PrefixOver is Prefix where the bytes of gaps count as had; it does not end with a gap.
func (s RangeSet) PrefixOver(gaps RangeSet) (end int64) {
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

// ReachFrom is how far the set goes where everything before claimed counts as had.
func (s RangeSet) ReachFrom(claimed int64) int64 {
	return max(s.Prefix(), s.reach(claimed))
}
