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
		if got := set.Common(r); got != n {
			t.Fatalf("%v, %v: %d bytes in common, want %d", set, r, got, n)
		}
	}
}
