package columnar_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/schema"
	"sluice/table/columnar"
)

// TestAScanBesideACollectorSeesEveryLineOnce: segments are written, sealed, moved into the
// tree, merged there and pruned, as a collector does it, while thousands of scans look.
func TestAScanBesideACollectorSeesEveryLineOnce(t *testing.T) {
	scans := int64(2000)
	few := testing.Short() || raceDetector
	if few {
		scans = 200
	}
	x := newTree(t)
	b := newBusy(x)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	var failed atomic.Pointer[string]
	var done atomic.Int64
	fail := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		failed.CompareAndSwap(nil, &text)
		cancel()
	}
	group.Go(func() {
		for ctx.Err() == nil {
			if b.steps.Load() >= b.budget.Load() { // each scan reads all that was written
				runtime.Gosched()
				continue
			}
			if err := b.step(); err != nil {
				fail("collector: %v", err)
			}
		}
	})
	for reader := range 2 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(reader), 3))
			for ctx.Err() == nil && done.Add(1) <= scans {
				if rng.IntN(10) == 0 {
					b.budget.Add(1)
				}
				if err := b.look(ctx, rng); err != nil && ctx.Err() == nil {
					fail("scan %d: %v", done.Load(), err)
				}
			}
			cancel()
		})
	}
	group.Wait()
	if text := failed.Load(); text != nil {
		t.Fatal(*text)
	}
	t.Logf("%d scans; %d batches, %d segments, %d files merged, %d pruned", scans, b.batches, x.seq, b.merged, b.pruned)
	if !few && (b.merged == 0 || b.pruned == 0) {
		t.Error("nothing was merged, or nothing pruned")
	}
}

// busy is a collector, and what it wrote.
type busy struct {
	*tree
	rng   *rand.Rand
	logs  []*testLog // the last one's lines are old, and are pruned
	open  map[string]*openSegment
	done  []string // sealed segments that are not in the tree
	ahead *columnar.Ahead

	mu                      sync.Mutex
	lines                   [3][]string      // of each log
	starts                  [3]map[int64]int // offset to index of lines
	steps                   atomic.Int64     // that were begun
	budget                  atomic.Int64     // steps that may be taken
	begun                   [3]int           // lines that may be there
	acked                   [3]int           // lines that must be there
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
	b.logs = []*testLog{newTestLog(x, "web01", 1, "combined"), newTestLog(x, "web02", 2, "common"), newTestLog(x, "old", 3, "common")}
	for i := range b.starts {
		b.starts[i] = map[int64]int{}
	}
	return b
}

// step is one thing that a collector does.
func (b *busy) step() error {
	b.steps.Add(1)
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
	batch, lines := l.batch(1 + b.rng.IntN(10))
	b.mu.Lock()
	for _, line := range lines {
		b.starts[i][line.offset] = len(b.lines[i])
		b.lines[i] = append(b.lines[i], line.text)
	}
	b.begun[i] = len(b.lines[i])
	b.batches++
	b.mu.Unlock()
	s := b.open[l.stream.Host]
	if s == nil {
		w := b.segment(l.stream.Host)
		s = &openSegment{writer: w, append: func(batch schema.Batch) { b.append(w, batch) }}
		b.open[l.stream.Host] = s
	}
	s.append(batch)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acked[i] = len(b.lines[i])
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

// prune removes the files of the old host.
func (b *busy) prune() error {
	done, err := columnar.Prune(context.Background(), b.store, columnar.PruneOptions{
		Before: firstTime.AddDate(1, 0, 0),
		Stored: func(id schema.StreamID, _ int64) bool { return id == b.logs[2].stream.ID },
	})
	b.pruned += done.Files
	return err
}

// look scans, and compares with what was there before it and after it.
func (b *busy) look(ctx context.Context, rng *rand.Rand) (err error) {
	b.mu.Lock()
	acked := b.acked
	b.mu.Unlock()
	s, err := b.table.Snapshot(context.Background(), columnar.Bounds{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if rng.IntN(8) == 0 { // what was listed is merged and pruned meanwhile
		for until := b.budget.Add(int64(rng.IntN(2))); b.steps.Load() < until && ctx.Err() == nil; {
			runtime.Gosched()
		}
	}
	var seen [3]map[int64]bool
	for i := range seen {
		seen[i] = map[int64]bool{}
	}
	visit := func(id schema.StreamID, offset int64, text string) error {
		for i, l := range b.logs {
			if l.stream.ID != id {
				continue
			}
			b.mu.Lock()
			n, known := b.starts[i][offset]
			same := known && b.lines[i][n] == text
			b.mu.Unlock()
			if !same || seen[i][offset] {
				return fmt.Errorf("%s: line at %d: known %v, as written %v, seen before %v", l.stream.Host, offset, known, same, seen[i][offset])
			}
			seen[i][offset] = true
			return nil
		}
		return fmt.Errorf("a line of stream %s", id)
	}
	if rng.IntN(2) == 0 {
		err = b.readRows(s, visit)
	} else {
		err = b.readBatches(s, visit)
	}
	if err != nil && strings.Contains(err.Error(), "prune") {
		return nil // the old host's: the error says so
	}
	for i := range 2 {
		if err == nil && len(seen[i]) < acked[i] {
			err = fmt.Errorf("%s: %d lines, and %d were written before", b.logs[i].stream.Host, len(seen[i]), acked[i])
		}
	}
	return err
}

func (b *busy) readRows(s *columnar.Snapshot, visit func(schema.StreamID, int64, string) error) error {
	last := line{}
	for row, err := range s.Scan(context.Background(), schema.Scan{}) {
		if err != nil {
			return err
		}
		text, _ := row.Cell(schema.LogbodyField)
		l := line{time: row.Time, stream: row.Stream, offset: row.Offset}
		if last != (line{}) && compareLines(last, l) >= 0 {
			return fmt.Errorf("%+v after %+v", l, last)
		}
		last = l
		if err := visit(row.Stream, row.Offset, string(text)); err != nil {
			return err
		}
	}
	return nil
}

func (b *busy) readBatches(s *columnar.Snapshot, visit func(schema.StreamID, int64, string) error) error {
	var mu sync.Mutex
	return s.Batches(context.Background(), columnar.Want{}, func(_ int, batch *columnar.Batch, rows columnar.Selection) error {
		offsets := batch.Column(schema.OffsetField)
		for i := range batch.Rows {
			if !rows.Has(i) {
				continue
			}
			text, err := batch.Line(nil, i)
			if err != nil {
				return err
			}
			s, err := batch.Stream(i)
			if err != nil {
				return err
			}
			mu.Lock()
			err = visit(s.Stream.ID, offsets.Ints[i], string(text))
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
}
