package columnar_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"sluice/schema"
	"sluice/table/columnar"
	"sluice/test/replay"
)

// replayFile is a script of one of this package's tests of random operations.
var replayFile = flag.String("replay", "", "run the script in this file instead of random ones")

// ranges is a tree whose segments have some ranges of two logs of a host several times.
type ranges struct {
	*tree
	logs    []*testLog
	batches []schema.Batch
	stored  map[int]bool   // indexes of batches
	next    []schema.Batch // of the segment that will be written
}

func newRanges(t testing.TB) *ranges {
	x := newTree(t)
	return &ranges{tree: x, logs: []*testLog{newTestLog(t, "web01", 1, "combined"), newTestLog(t, "web01", 2, "common")}, stored: map[int]bool{}}
}

// write makes a batch of the next lines of a log.
func (r *ranges) write(log, lines int) {
	b, want := r.logs[log%len(r.logs)].batch(lines)
	r.batches = append(r.batches, b)
	r.want = append(r.want, want...)
}

// send adds batches of one log to the next segment: that with the index first, and up to n-1 later
// ones, joined with it.
func (r *ranges) send(first, n int) {
	if first < len(r.batches) {
		r.next = append(r.next, joined(r.batches, first, n, r.stored)...)
	}
}

// store writes the next segment. It gets into the tree unless it is to stay in the spool.
func (r *ranges) store(spooled bool) {
	switch next := r.next; {
	case len(next) == 0:
	case spooled:
		w := r.segment("web01")
		for _, b := range next {
			r.append(w, b)
		}
	default:
		r.storeBatches("web01", next...)
	}
	r.next = nil
}

// check stores what is not stored yet, and compares scans of the table with the lines.
func (r *ranges) check() {
	r.store(false)
	for i := range r.batches {
		if !r.stored[i] {
			r.send(i, 1)
			r.store(i%4 == 0)
		}
	}
	r.expect(schema.Scan{})
	r.expect(schema.Scan{From: firstTime.UnixNano() + 20e9})
	r.expectSound()
	r.compact()
	r.expect(schema.Scan{})
}

// TestARangeInSeveralFilesCountsOnce covers ranges that Flume sent again, hosts that changed
// collector, and a replay after a crash.
func TestARangeInSeveralFilesCountsOnce(t *testing.T) {
	m := replay.Machine[*ranges]{
		Start: newRanges, End: func(_ testing.TB, r *ranges) { r.check() },
		Ops: map[string]func(testing.TB, *ranges, replay.Args){
			"write LOG N":  func(t testing.TB, r *ranges, a replay.Args) { r.write(number(t, a[0]), a.Int(1)) },
			"send BATCH N": func(t testing.TB, r *ranges, a replay.Args) { r.send(number(t, a[0]), a.Int(1)) },
			"store":        func(_ testing.TB, r *ranges, _ replay.Args) { r.store(false) },
			"spool":        func(_ testing.TB, r *ranges, _ replay.Args) { r.store(true) },
			"compact":      func(_ testing.TB, r *ranges, _ replay.Args) { r.compact() },
		},
		Random: func(random *rand.Rand) (s replay.Script) {
			add := func(verb string, args ...any) { s = append(s, replay.NewOp(verb, args...)) }
			for range 12 {
				add("write", random.IntN(2), 1+random.IntN(60))
			}
			for range 6 + random.IntN(6) {
				add("send", random.IntN(12), 1+random.IntN(3))
				for random.IntN(3) == 0 { // again within the segment
					add("send", random.IntN(12), 1+random.IntN(3))
				}
				add([]string{"spool", "store", "store", "store"}[random.IntN(4)])
				if random.IntN(8) == 0 {
					add("compact")
				}
			}
			return s
		},
	}
	m.Test(t, *replayFile, 30)
}

// number returns a number that a smaller script keeps as it is.
func number(t testing.TB, word string) int {
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 {
		t.Fatalf("%q is no number from 0 on", word)
	}
	return n
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
