package schema

import (
	"math/rand/v2"
	"testing"
)

func TestRangeSetIsASetOfBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const size = 64
	for range 500 {
		var set RangeSet
		var has [size]bool
		for range rng.IntN(12) {
			a, b := rng.Int64N(size), rng.Int64N(size)
			set.Add(Range{Start: a, End: b}) // b <= a is nothing
			for i := a; i < b; i++ {
				has[i] = true
			}
		}
		for i := range has {
			if set.Has(int64(i)) != has[i] {
				t.Fatalf("%v: byte %d: %v", set, i, !has[i])
			}
		}
		r := Range{Start: rng.Int64N(size)}
		r.End = r.Start + rng.Int64N(size-r.Start+1)
		both, missing := set.Both(r), set.Missing(r)
		var n int64
		for i := r.Start; i < r.End; i++ {
			in := func(list []Range) bool {
				for _, x := range list {
					if x.Start <= i && i < x.End {
						return true
					}
				}
				return false
			}
			if in(both) != has[i] || in(missing) == has[i] {
				t.Fatalf("%v, %v: both %v, missing %v: byte %d", set, r, both, missing, i)
			}
			if has[i] {
				n++
			}
		}
		reach := func(at int64) int64 {
			for at < size && has[at] {
				at++
			}
			return at
		}
		if at := rng.Int64N(size); set.Prefix() != reach(0) || set.reach(at) != reach(at) || set.ReachFrom(at) != max(reach(0), reach(at)) {
			t.Fatalf("%v: prefix %d, reach of %d %d and %d", set, set.Prefix(), at, set.reach(at), set.ReachFrom(at))
		}
		for i := 1; i < len(set); i++ {
			if set[i].Start <= set[i-1].End {
				t.Fatalf("%v: ranges touch", set)
			}
		}
		if got := set.Common(r); got != n {
			t.Fatalf("%v, %v: %d bytes in common, want %d", set, r, got, n)
		}
		set.Remove(r)
		for i := range has {
			if want := has[i] && (int64(i) < r.Start || int64(i) >= r.End); set.Has(int64(i)) != want {
				t.Fatalf("%v without %v: byte %d: %v", set, r, i, !want)
			}
		}
	}
}
