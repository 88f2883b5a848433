package columnar_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"sluice/schema"
	"sluice/table/columnar"
	"sluice/test/replay"
)

// TestAScanBesideAWriterSeesEveryLineOnce writes segments, seals them, moves them into the tree,
// merges and prunes there, in random order, while thousands of scans run.
func TestAScanBesideAWriterSeesEveryLineOnce(t *testing.T) {
	steps, perStep, few := besideSteps()
	var b *busy
	m := replay.Machine[*busy]{
		Start: func(t testing.TB) *busy { b = newBusy(t, perStep); return b },
		Ops: map[string]func(testing.TB, *busy, replay.Args){
			"write LOG N": func(t testing.TB, b *busy, a replay.Args) {
				b.do(t, func() error { return b.write(number(t, a[0])%3, a.Int(1)) })
			},
			"ahead": func(t testing.TB, b *busy, _ replay.Args) {
				b.do(t, func() error { return b.ahead.Step(context.Background()) })
			},
			"seal HOST": func(t testing.TB, b *busy, a replay.Args) { b.do(t, func() error { return b.sealOne(a[0]) }) },
			"move":      func(t testing.TB, b *busy, _ replay.Args) { b.do(t, b.moveOne) },
			"scan-during-move N": func(t testing.TB, b *busy, a replay.Args) {
				b.do(t, func() error {
					return b.lookDuring(b.store, columnar.TableOptions{Spool: b.spool}, a.Int(0), b.moveOne)
				})
			},
			"compact": func(t testing.TB, b *busy, _ replay.Args) { b.do(t, b.compactAll) },
			"prune":   func(t testing.TB, b *busy, _ replay.Args) { b.do(t, b.prune) },
		},
		Random: func(random *rand.Rand) replay.Script { return randomSteps(random, steps) },
		End:    func(t testing.TB, b *busy) { b.scans.stop(); b.scans.check(t) }, Attempts: 100,
	}
	m.Test(t, *replayFile, 1)
	t.Logf("%d scans; %d batches, %d segments, %d files merged, %d pruned", b.scans.done.Load(), b.batches, b.seq, b.merged, b.pruned)
	if *replayFile == "" && !few && !t.Failed() && (b.merged == 0 || b.pruned == 0) {
		t.Error("nothing was merged, or nothing pruned")
	}
}

// randomSteps returns random steps of a collector and of the maintenance of its table.
func randomSteps(random *rand.Rand, n int) (s replay.Script) {
	for range n {
		switch n := random.IntN(100); {
		case n < 60:
			s = append(s, replay.NewOp("write", random.IntN(3), 1+random.IntN(6)))
		case n < 65:
			s = append(s, replay.NewOp("ahead"))
		case n < 75:
			s = append(s, replay.NewOp("seal", []string{"web01", "web02", "old"}[random.IntN(3)]))
		case n < 85:
			s = append(s, replay.NewOp("move"))
		case n < 95:
			s = append(s, replay.NewOp("scan-during-move", 1+random.IntN(2)))
		case n < 98:
			s = append(s, replay.NewOp("compact"))
		default:
			s = append(s, replay.NewOp("prune"))
		}
	}
	for listing := range 2 { // at each of the two listings of a scan, in any script
		s = append(s, replay.NewOp("write", 0, 3), replay.NewOp("seal", "web01"), replay.NewOp("scan-during-move", 1+listing))
	}
	return s
}

// busy takes the steps of a collector, one after another. The lines of the last log are old and get
// pruned.
type busy struct {
	*tree
	*witness
	scans *scans
	open  map[string]*openSegment
	done  []string // sealed segments that are not yet in the tree
	ahead *columnar.Ahead

	batches, merged, pruned int
}

type openSegment struct {
	writer interface {
		Path() string
		Seal() (string, error)
	}
	append func(schema.Batch)
}

func newBusy(t testing.TB, perStep int) *busy {
	x := newTree(t)
	b := &busy{tree: x, open: map[string]*openSegment{}, ahead: columnar.NewAhead(x.spool, 1000)}
	b.witness = newWitness(x.table, newTestLog(x, "web01", 1, "combined"), newTestLog(x, "web02", 2, "common"), newTestLog(x, "old", 3, "common"))
	b.kept = 2
	b.scans = b.beside(t, perStep)
	return b
}

// do takes a step when a scan allows it.
func (b *busy) do(t testing.TB, step func() error) {
	b.scans.wait(t)
	if err := step(); err != nil {
		t.Fatal(err)
	}
}

func (b *busy) write(i, n int) error {
	l := b.logs[i]
	batch, lines := l.batch(n)
	b.writing(i, lines)
	b.batches++
	s := b.open[l.stream.Host]
	if s == nil {
		w := b.segment(l.stream.Host)
		s = &openSegment{writer: w, append: func(batch schema.Batch) { b.append(w, batch) }}
		b.open[l.stream.Host] = s
	}
	s.append(batch)
	b.wrote(i)
	return nil
}

func (b *busy) sealOne(host string) error {
	s := b.open[host]
	if s == nil {
		return nil
	}
	path, err := s.writer.Seal()
	if err != nil {
		return err
	}
	delete(b.open, host)
	b.done = append(b.done, path)
	return nil
}

func (b *busy) moveOne() error {
	if len(b.done) == 0 {
		return nil
	}
	path := b.done[0]
	b.done = b.done[1:]
	b.put(path)
	return os.Remove(path)
}

func (b *busy) compactAll() error {
	done, err := columnar.Compact(context.Background(), b.store, columnar.CompactOptions{TempDir: filepath.Dir(b.root), Closed: everyDay})
	b.merged += done.Merged
	return err
}

// prune removes the files of the host with the old log.
func (b *busy) prune() error {
	done, err := columnar.Prune(context.Background(), b.store, columnar.PruneOptions{
		Before: firstTime.AddDate(1, 0, 0),
		Stored: func(id schema.StreamID, _ int64) bool { return id == b.logs[2].stream.ID },
	})
	b.pruned += done.Files
	return err
}
