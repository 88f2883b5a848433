package columnar

import (
	"cmp"
	"math/bits"
	"slices"

	"sluice/schema"
)

// sorter sorts the rows of a group by time, stream and offset; a row without a time has time 0. Its
// memory is reused.
type sorter struct {
	rows, other []int32
	counts      []int32
}

func (s *sorter) memory() int { return 4 * (cap(s.rows) + cap(s.other) + cap(s.counts)) }

// order returns the order of the group's rows; nil: they are sorted already.
func (s *sorter) order(g *group, streams []StreamMeta) []int32 {
	ids := make([]schema.StreamID, len(streams))
	for i := range streams {
		ids[i] = streams[i].Stream.ID
	}
	if inOrder(g, ids) {
		return nil
	}
	s.rows, s.other = resized(s.rows, g.rows), resized(s.other, g.rows)
	s.byStream(g, ids)
	s.byTime(g.times.values)
	return s.rows
}

func inOrder(g *group, ids []schema.StreamID) bool {
	for i := 1; i < g.rows; i++ {
		if a, b := g.times.values[i-1], g.times.values[i]; a > b || a == b && !before(g, ids, int32(i-1), int32(i)) {
			return false
		}
	}
	return true
}

// before reports whether row a is not after row b, for rows with the same time.
func before(g *group, ids []schema.StreamID, a, b int32) bool {
	x, y := ids[g.streams[a]], ids[g.streams[b]]
	return x < y || x == y && g.offsets[a] <= g.offsets[b]
}

// byStream sorts the rows by stream and offset. A stream's rows are mostly in the order of their
// offsets, so the rows are distributed by stream and rarely sorted.
func (s *sorter) byStream(g *group, ids []schema.StreamID) {
	unique := slices.Clone(ids)
	slices.Sort(unique)
	unique = slices.Compact(unique)
	rank := make([]int32, len(ids))
	for i, id := range ids {
		at, _ := slices.BinarySearch(unique, id)
		rank[i] = int32(at)
	}
	starts := make([]int32, len(unique)+1)
	for _, stream := range g.streams {
		starts[rank[stream]+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	for row, stream := range g.streams {
		r := rank[stream]
		s.rows[starts[r]] = int32(row)
		starts[r]++
	}
	if !slices.IsSortedFunc(s.rows, func(a, b int32) int {
		return cmp.Or(cmp.Compare(rank[g.streams[a]], rank[g.streams[b]]), cmp.Compare(g.offsets[a], g.offsets[b]))
	}) {
		slices.SortStableFunc(s.rows, func(a, b int32) int {
			return cmp.Or(cmp.Compare(rank[g.streams[a]], rank[g.streams[b]]), cmp.Compare(g.offsets[a], g.offsets[b]))
		})
	}
}

// digitBits is the number of bits of a time that one pass sorts by.
const digitBits = 11

// byTime sorts the rows by time, stably: a radix sort from the lowest digit. Bits that are the same
// in all times (nine of them if no time has a fraction of a second) are skipped.
func (s *sorter) byTime(times []int64) {
	least := slices.Min(times)
	all := uint64(0)
	for _, t := range times {
		all |= uint64(t - least)
	}
	s.counts = resized(s.counts, 1<<digitBits)
	for shift := bits.TrailingZeros64(all); shift < 64 && all>>shift != 0; shift += digitBits {
		clear(s.counts)
		for _, t := range times {
			s.counts[uint64(t-least)>>shift&(1<<digitBits-1)]++
		}
		sum := int32(0)
		for i, n := range s.counts {
			s.counts[i] = sum
			sum += n
		}
		for _, row := range s.rows {
			digit := uint64(times[row]-least) >> shift & (1<<digitBits - 1)
			s.other[s.counts[digit]] = row
			s.counts[digit]++
		}
		s.rows, s.other = s.other, s.rows
	}
}
