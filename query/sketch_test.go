package query

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQuantilesAreWithinTheirError merges values from several parts, in any order, and
// compares with the sorted list.
func TestQuantilesAreWithinTheirError(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	draw := map[string]func() int64{
		"sizes":  func() int64 { return int64(math.Exp(rnd.NormFloat64()*3 + 8)) },
		"small":  func() int64 { return rnd.Int64N(300) },
		"equal":  func() int64 { return 7 },
		"any":    func() int64 { return int64(rnd.Uint64()) },
		"bounds": func() int64 { return []int64{math.MinInt64, math.MaxInt64, 0, -1, 127, 128, 255, 256}[rnd.IntN(8)] },
	}
	for name, next := range draw {
		for _, exact := range []int{10, 100_000} {
			parts := make([]values, 3)
			for i := range parts {
				parts[i].exact = exact
			}
			var all []int64
			for range 1 + rnd.IntN(20_000) {
				v := next()
				all = append(all, v)
				parts[rnd.IntN(3)].add(v)
			}
			parts[0].merge(&parts[2])
			parts[0].merge(&parts[1])
			slices.Sort(all)
			for _, q := range []float64{0, 0.01, 0.5, 0.95, 0.999, 1} {
				want := all[min(max(int(math.Ceil(q*float64(len(all)))), 1), len(all))-1]
				got, ok := parts[0].quantile(q)
				tolerance := 0.0
				if len(all) > exact {
					tolerance = math.Abs(float64(want)) * quantileError
				}
				if !ok || math.Abs(float64(got)-float64(want)) > tolerance {
					t.Errorf("seed %d: %s, %v of %d: %d, want %d", seed, name, q, len(all), got, want)
				}
			}
		}
	}
	if _, ok := new(values).quantile(0.5); ok {
		t.Error("no values have a quantile")
	}
}

// TestDistinctIsWithinItsError counts from none to a million values in two parts that
// share a third of them. Five standard errors are once in two million.
func TestDistinctIsWithinItsError(t *testing.T) {
	seed := maphash.MakeSeed()
	for _, n := range []int{0, 1, 100, 4096, 4097, 20_000, 50_000, 300_000, 1_000_000} {
		parts := []distinct{{exact: 4096}, {exact: 4096}}
		for i := range n {
			hash := hashText(seed, fmt.Append(nil, "client", i))
			if i%3 != 0 {
				parts[0].add(hash)
			}
			if i%3 != 1 {
				parts[1].add(hash)
			}
		}
		parts[0].merge(&parts[1])
		got, estimated := parts[0].count()
		if estimated != (n > 4096) {
			t.Errorf("%d: estimated %v", n, estimated)
		}
		if off := math.Abs(float64(got - int64(n))); !estimated && off > 0 || off > 5*DistinctError*float64(n) {
			t.Errorf("%d: counted %d", n, got)
		}
	}
}
