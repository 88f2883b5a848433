package columnar_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/schema"
	"sluice/table/columnar"
)

// TestARangeInSeveralFilesCountsOnce covers ranges that Flume sent again, hosts that changed
// collector, and a replay after a crash.
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
				for rng.IntN(3) == 0 { // sent again within the segment
					some = append(some, joined(batches, rng.IntN(len(batches)), 1+rng.IntN(3), stored)...)
				}
				switch rng.IntN(4) {
				case 0: // not yet in the tree
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
			x.expectSound()
			x.compact()
			x.expect(schema.Scan{})
		})
	}
}

// joined returns up to n batches of one stream, from index i on, joined into one or unchanged.
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

// TestARangeTwiceInASegmentIsInItsFileOnce checks that other engines that read the tree do not see
// rows twice. If a range was sent again with more lines, the additional lines are stored.
func TestARangeTwiceInASegmentIsInItsFileOnce(t *testing.T) {
	l := newTestLog(t, "web01", 1, "combined")
	first, lines1 := l.batch(50)
	second, lines2 := l.batch(40)
	third, lines3 := l.batch(30)
	all := [][]line{lines1, lines2, lines3}
	middle := joined([]schema.Batch{second, third}, 0, 2, map[int]bool{})[0]
	whole := joined([]schema.Batch{first, second, third}, 0, 3, map[int]bool{})[0]
	for i, batches := range [][]schema.Batch{{first, middle, second, first}, {second, whole}, {third, first, whole, whole}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			x := newTree(t)
			x.want = slices.Concat(all...)
			name := x.storeBatches("web01", batches...)
			meta := x.meta(name)
			var lines, errors, bytes int64
			for _, r := range meta.Streams[0].Ranges {
				lines, errors, bytes = lines+r.Lines, errors+r.Errors, bytes+r.Len()
			}
			wantErrors := int64(0)
			for _, w := range x.want {
				l.format.Parse([]byte(w.text), &l.rec)
				if l.rec.Err.Set() {
					wantErrors++
				}
			}
			if meta.Rows != 120 || lines != 120 || errors != wantErrors || errors == 0 || bytes != whole.Range.Len() {
				t.Errorf("%d rows, %d lines, %d errors (want %d), %d bytes (want %d)", meta.Rows, lines, errors, wantErrors, bytes, whole.Range.Len())
			}
			x.expect(schema.Scan{})
			x.expectSound()
		})
	}
}

// meta returns the metadata of a file of the tree.
func (x *tree) meta(name string) *columnar.Meta {
	x.Helper()
	r, err := x.store.Open(x.Context(), name)
	if err != nil {
		x.Fatal(err)
	}
	defer r.Close()
	f, err := columnar.OpenFile(r, r.Size())
	if err != nil {
		x.Fatal(err)
	}
	return f.Meta()
}

// expectSound verifies the tree.
func (x *tree) expectSound() {
	x.Helper()
	if problems := x.verify(); len(problems) > 0 {
		x.Errorf("%v", problems)
	}
}
