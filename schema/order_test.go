package schema

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Rows that are sorted by their order have sorted keys, except for salts and directories: a scan of
// HBase merges ranges of keys by RowOrder.
func TestRowOrderIsTheOrderOfKeys(t *testing.T) {
	layout, err := NewLayout(LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	layout.Salts = 1
	random := rand.New(rand.NewPCG(1, 1))
	var rows []Row
	for range 500 {
		r := Row{Time: 1 + random.Int64N(3), Stream: StreamID(random.Uint64() >> (64 * random.IntN(2))), Offset: random.Int64N(5) << random.IntN(40)}
		r.Key = layout.AppendKey(nil, r.Time, r.Stream, r.Offset)
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b Row) int { return a.Order().Compare(b.Order()) })
	if !slices.IsSortedFunc(rows, func(a, b Row) int { return slices.Compare(a.Key, b.Key) }) {
		t.Error("the keys are not sorted")
	}
}
