package query

import (
	"math"
	"math/bits"
	"slices"
)

// quantileError is the maximum relative error of a quantile that is not exact.
const quantileError = 1.0 / 256

const (
	// maxExactValues is the number of values that a question without groups keeps, and
	// maxExactGroup that of each group; quantiles of more values are counted in buckets, and
	// distinct values estimated.
	maxExactValues = 1 << 20
	maxExactGroup  = 1 << 12
)

// values calculates quantiles of numbers. Up to a limit it keeps the numbers, and is exact. Beyond
// that it counts them in buckets whose width is 1/128 of their least value, so that the middle of
// one is within quantileError of every value in it. Which of the two depends on the number of
// values only, not on their order.
type values struct {
	exact    int // number of values that are kept
	n        int64
	kept     []int64
	counting bool
	chunks   [2][]*[bucketsInChunk]int64 // of non-negative values, and of negative ones
}

const bucketsInChunk = 128 // all numbers of the same length in bits share a chunk

// add returns the growth of the memory in bytes.
func (s *values) add(v int64) (grown int) {
	s.n++
	if s.counting {
		return s.count(v, 1)
	}
	before := cap(s.kept)
	s.kept = append(s.kept, v)
	grown = 8 * (cap(s.kept) - before)
	if len(s.kept) > s.exact {
		grown += s.spill()
	}
	return grown
}

func (s *values) spill() (grown int) {
	s.counting = true
	for _, v := range s.kept {
		grown += s.count(v, 1)
	}
	grown -= 8 * cap(s.kept)
	s.kept = nil
	return grown
}

// bucket returns the bucket of a magnitude: below 128 one for each value, above by its first eight
// bits.
func bucket(u uint64) (chunk, at int) {
	if u < bucketsInChunk {
		return 0, int(u)
	}
	shift := bits.Len64(u) - 8
	return shift + 1, int(u>>shift) - bucketsInChunk
}

// middle is the middle of a bucket.
func middle(chunk, at int) int64 {
	if chunk == 0 {
		return int64(at)
	}
	shift := chunk - 1
	low := uint64(at+bucketsInChunk) << shift
	return int64(min(low+(uint64(1)<<shift-1)/2, math.MaxInt64))
}

func (s *values) count(v, n int64) (grown int) {
	sign, u := 0, uint64(v)
	if v < 0 {
		sign, u = 1, -uint64(v)
	}
	chunk, at := bucket(u)
	for len(s.chunks[sign]) <= chunk {
		s.chunks[sign] = append(s.chunks[sign], nil)
	}
	c := s.chunks[sign][chunk]
	if c == nil {
		c = new([bucketsInChunk]int64)
		s.chunks[sign][chunk] = c
		grown = 8 * bucketsInChunk
	}
	c[at] += n
	return grown
}

// merge adds the values of o, which must not be used afterwards.
func (s *values) merge(o *values) (grown int) {
	s.n += o.n
	if !s.counting && !o.counting {
		before := cap(s.kept)
		s.kept = append(s.kept, o.kept...)
		grown = 8 * (cap(s.kept) - before)
		if len(s.kept) > s.exact {
			grown += s.spill()
		}
		return grown
	}
	if !s.counting {
		grown = s.spill()
	}
	for _, v := range o.kept {
		grown += s.count(v, 1)
	}
	for sign, chunks := range o.chunks {
		for chunk, c := range chunks {
			for at := range c {
				if c != nil && c[at] > 0 {
					v := middle(chunk, at)
					if sign == 1 {
						v = -v
					}
					grown += s.count(v, c[at])
				}
			}
		}
	}
	return grown
}

// quantile returns the least value that at least q of the values do not exceed; false without
// values.
func (s *values) quantile(q float64) (int64, bool) {
	if s.n == 0 {
		return 0, false
	}
	rank := min(max(int64(math.Ceil(q*float64(s.n))), 1), s.n)
	if !s.counting {
		return nth(s.kept, int(rank-1)), true
	}
	for chunk := len(s.chunks[1]) - 1; chunk >= 0; chunk-- { // the most negative first
		for at := bucketsInChunk - 1; at >= 0 && s.chunks[1][chunk] != nil; at-- {
			if rank -= s.chunks[1][chunk][at]; rank <= 0 {
				return -middle(chunk, at), true
			}
		}
	}
	for chunk, c := range s.chunks[0] {
		for at := 0; c != nil && at < len(c); at++ {
			if rank -= c[at]; rank <= 0 {
				return middle(chunk, at), true
			}
		}
	}
	return 0, false // unreachable: the counts add up to n
}

// nth returns the value at position n of the sorted list. It partially sorts list.
func nth(list []int64, n int) int64 {
	for rounds := 0; len(list) > 64; rounds++ {
		if rounds > 100 { // the log may have been written to make bad pivots
			break
		}
		pivot := median(list[0], list[len(list)/2], list[len(list)-1])
		low, i, high := 0, 0, len(list) // [0,low) < pivot, [low,i) = pivot, [high,…) > pivot
		for i < high {
			switch v := list[i]; {
			case v < pivot:
				list[low], list[i] = v, list[low]
				low++
				i++
			case v > pivot:
				high--
				list[i], list[high] = list[high], v
			default:
				i++
			}
		}
		switch {
		case n < low:
			list = list[:low]
		case n >= high:
			list, n = list[high:], n-high
		default:
			return pivot
		}
	}
	slices.Sort(list)
	return list[n]
}

func median(a, b, c int64) int64 { return max(min(a, b), min(max(a, b), c)) }
