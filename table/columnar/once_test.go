package columnar_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sluice/schema"
)

// TestARangeInSeveralFilesCountsOnce: Flume sent it again, a host went to another
// collector, a crash was followed by a replay.
func TestARangeInSeveralFilesCountsOnce(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 9))
			x := newTree(t)
			logs := []*testLog{newTestLog(t, "web01", seed*2, "combined"), newTestLog(t, "web01", seed*2+1, "common")}
			var batches []schema.Batch
			for range 12 {
				b, want := logs[rng.IntN(2)].batch(1 + rng.IntN(60))
				batches = append(batches, b)
				x.want = append(x.want, want...)
			}
			stored := map[int]bool{}
			store := func(indexes ...int) {
				var some []schema.Batch
				for _, i := range indexes {
					some = append(some, joined(batches, i, 1+rng.IntN(3), stored)...)
				}
				switch rng.IntN(4) {
				case 0: // not in the tree yet
					w := x.segment("web01")
					for _, b := range some {
						x.append(w, b)
					}
				default:
					x.storeBatches("web01", some...)
				}
			}
			for range 6 + rng.IntN(6) {
				store(rng.IntN(len(batches)))
			}
			for i := range batches {
				if !stored[i] {
					store(i)
				}
			}
			x.expect(schema.Scan{})
			x.expect(schema.Scan{From: firstTime.UnixNano() + 20e9})
			x.compact()
			x.expect(schema.Scan{})
		})
	}
}

// joined is up to n batches of one stream from index i on, as one or as they are.
func joined(batches []schema.Batch, i, n int, stored map[int]bool) []schema.Batch {
	b := batches[i]
	stored[i] = true
	for j := i + 1; j < len(batches) && n > 1; j++ {
		if batches[j].Stream != b.Stream {
			continue
		}
		b.Range.End = batches[j].Range.End
		b.Data = append(append([]byte{}, b.Data...), batches[j].Data...)
		b.Lines += batches[j].Lines
		stored[j] = true
		n--
	}
	return []schema.Batch{b}
}
