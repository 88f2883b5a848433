package ingest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sluice/schema"
)

// TestRangeSetAgreesWithABitmap tries random ranges against one bool a byte.
func TestRangeSetAgreesWithABitmap(t *testing.T) {
	const size = 60
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		var set rangeSet
		var bitmap [size]bool
		for range 12 {
			start := random.Int64N(size)
			r := schema.Range{Start: start, End: start + random.Int64N(size-start+1)}
			var missing [size]bool
			for _, m := range set.missing(r) {
				for i := m.Start; i < m.End; i++ {
					missing[i] = true
				}
			}
			for i := range int64(size) {
				if want := i >= r.Start && i < r.End && !bitmap[i]; missing[i] != want {
					t.Fatalf("seed %d: missing(%v) of %v: byte %d is %v, want %v", seed, r, set, i, missing[i], want)
				}
			}
			set.add(r)
			for i := r.Start; i < r.End; i++ {
				bitmap[i] = true
			}
			prefix := int64(0)
			for prefix < size && bitmap[prefix] {
				prefix++
			}
			if set.prefix() != prefix {
				t.Fatalf("seed %d: prefix of %v is %d, want %d", seed, set, set.prefix(), prefix)
			}
			for i := 1; i < len(set); i++ {
				if set[i].Start <= set[i-1].End {
					t.Fatalf("seed %d: ranges touch: %v", seed, fmt.Sprint(set))
				}
			}
		}
	}
}
