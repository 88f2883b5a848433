package schema

import "slices"

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
