package columnar_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"sluice/schema"
	"sluice/table/columnar"
)

// TestAScanBesideAWriterSeesEveryLineOnce writes segments, seals them, moves them into the tree,
// merges and prunes there, in random order, while thousands of scans run.
func TestAScanBesideAWriterSeesEveryLineOnce(t *testing.T) {
	scans := int64(2000)
	few := testing.Short() || raceDetector
	if few {
		scans = 200
	}
	x := newTree(t)
	b := newBusy(x)
	b.beside(t, scans, b.step)
	t.Logf("%d scans; %d batches, %d segments, %d files merged, %d pruned", scans, b.batches, x.seq, b.merged, b.pruned)
	if !few && (b.merged == 0 || b.pruned == 0) {
		t.Error("nothing was merged, or nothing pruned")
	}
}

// busy takes the steps of a collector, one after another. The lines of the last log are old and get
// pruned.
type busy struct {
	*tree
	*witness
	rng   *rand.Rand
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

func newBusy(x *tree) *busy {
	b := &busy{tree: x, rng: rand.New(rand.NewPCG(7, 7)), open: map[string]*openSegment{}, ahead: columnar.NewAhead(x.spool, 1000)}
	b.witness = newWitness(x.table, newTestLog(x, "web01", 1, "combined"), newTestLog(x, "web02", 2, "common"), newTestLog(x, "old", 3, "common"))
	b.kept = 2
	return b
}

// step takes one random step of a collector.
func (b *busy) step() error {
	switch n := b.rng.IntN(100); {
	case n < 60:
		return b.write(b.rng.IntN(3))
	case n < 65:
		return b.ahead.Step(context.Background())
	case n < 75:
		return b.sealOne()
	case n < 95:
		return b.moveOne()
	case n < 98:
		done, err := columnar.Compact(context.Background(), b.store, columnar.CompactOptions{TempDir: filepath.Dir(b.root), Closed: everyDay})
		b.merged += done.Merged
		return err
	default:
		return b.prune()
	}
}

func (b *busy) write(i int) error {
	l := b.logs[i]
	batch, lines := l.batch(1 + b.rng.IntN(6))
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

func (b *busy) sealOne() error {
	for host, s := range b.open {
		path, err := s.writer.Seal()
		if err != nil {
			return err
		}
		delete(b.open, host)
		b.done = append(b.done, path)
		break
	}
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

// prune removes the files of the host with the old log.
func (b *busy) prune() error {
	done, err := columnar.Prune(context.Background(), b.store, columnar.PruneOptions{
		Before: firstTime.AddDate(1, 0, 0),
		Stored: func(id schema.StreamID, _ int64) bool { return id == b.logs[2].stream.ID },
	})
	b.pruned += done.Files
	return err
}
