package columnar_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/archive"
	"sluice/schema"
	"sluice/table/columnar"
)

// witness records the lines that were written, and compares scans with them.
type witness struct {
	table *columnar.Table
	logs  []*testLog
	kept  int           // number of logs that are not pruned
	allow chan struct{} // one step is allowed for each scan: a scan reads all lines, so steps without limit would make scans slower and slower

	mu     sync.Mutex
	lines  [][]string      // for each log: lines that may be in the table
	starts []map[int64]int // offset to index in lines
	acked  []int           // number of lines that must be in the table
}

func newWitness(table *columnar.Table, logs ...*testLog) *witness {
	w := &witness{table: table, logs: logs, kept: len(logs), allow: make(chan struct{}), lines: make([][]string, len(logs)), acked: make([]int, len(logs))}
	for range logs {
		w.starts = append(w.starts, map[int64]int{})
	}
	return w
}

// writing records lines that are about to be written.
func (w *witness) writing(log int, lines []line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range lines {
		w.starts[log][l.offset] = len(w.lines[log])
		w.lines[log] = append(w.lines[log], l.text)
	}
}

// wrote records that all lines of a log are written.
func (w *witness) wrote(log int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[log] = len(w.lines[log])
}

// scans are goroutines that scan while a script runs. They stop with the test.
type scans struct {
	*witness
	cancel context.CancelFunc
	group  sync.WaitGroup
	done   atomic.Int64
	failed atomic.Pointer[string]
}

// beside starts two goroutines that scan, perStep times for each step of a script on average.
func (w *witness) beside(t testing.TB, perStep int) *scans {
	ctx, cancel := context.WithCancel(context.Background())
	s := &scans{witness: w, cancel: cancel}
	for reader := range 2 {
		s.group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(reader), 3))
			for ctx.Err() == nil {
				if rng.IntN(perStep) == 0 {
					w.step(ctx)
				}
				s.done.Add(1)
				if err := w.look(ctx, rng); err != nil && ctx.Err() == nil {
					text := fmt.Sprintf("scan %d: %v", s.done.Load(), err)
					s.failed.CompareAndSwap(nil, &text)
					cancel()
				}
			}
		})
	}
	t.Cleanup(s.stop)
	return s
}

func (s *scans) stop() {
	s.cancel()
	s.group.Wait()
}

// wait waits until a scan allows the next step of the script. It fails the test if a scan failed.
func (s *scans) wait(t testing.TB) {
	for s.failed.Load() == nil {
		select {
		case <-s.allow:
			return
		case <-time.After(time.Millisecond): // a scan may have failed
		}
	}
	s.check(t)
}

// check fails the test if a scan failed.
func (s *scans) check(t testing.TB) {
	if text := s.failed.Load(); text != nil {
		t.Fatal(*text)
	}
}

// besideSteps returns how many steps a script has beside which scans run, and the scans for each.
func besideSteps() (steps, perStep int, few bool) {
	if testing.Short() || raceDetector {
		return 45, 4, true
	}
	return 340, 12, false
}

// step allows one step, unless ctx has ended.
func (w *witness) step(ctx context.Context) {
	select {
	case w.allow <- struct{}{}:
	case <-ctx.Done():
	}
}

// look scans once, and compares the result with the lines before and after the scan. If ctx has
// ended, no step runs meanwhile.
func (w *witness) look(ctx context.Context, rng *rand.Rand) error {
	return w.lookAt(ctx, w.table, rng)
}

// lookDuring is look at a table with that store. do runs after the n-th time that the scan listed
// the tree, so that segments leave the spool, or files are replaced, while the scan looks for them.
func (w *witness) lookDuring(store columnar.ReadStore, o columnar.TableOptions, n int, do func() error) error {
	l := &listings{ReadStore: store, left: n, do: do}
	ended, cancel := context.WithCancel(context.Background()) // no other step is allowed
	cancel()
	return errors.Join(w.lookAt(ended, columnar.OpenTable(l, o), rand.New(rand.NewPCG(uint64(n), 11))), l.err)
}

// listings is a store that calls do once, after a number of listings.
type listings struct {
	columnar.ReadStore
	left int
	do   func() error
	err  error // of do
}

func (l *listings) List(ctx context.Context) ([]archive.File, error) {
	files, err := l.ReadStore.List(ctx)
	if l.left--; l.left == 0 {
		l.err = l.do()
	}
	return files, err
}

func (w *witness) lookAt(ctx context.Context, table *columnar.Table, rng *rand.Rand) (err error) {
	w.mu.Lock()
	acked := append([]int{}, w.acked...)
	w.mu.Unlock()
	s, err := table.Snapshot(context.Background(), columnar.Bounds{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if rng.IntN(16) == 0 { // pause, so that listed files are merged and pruned meanwhile
		for range rng.IntN(3) {
			w.step(ctx)
		}
	}
	seen := make([]map[int64]bool, len(w.logs))
	for i := range seen {
		seen[i] = map[int64]bool{}
	}
	visit := func(id schema.StreamID, offset int64, text string) error { return w.visit(seen, id, offset, text) }
	if rng.IntN(2) == 0 {
		err = readRows(s, visit)
	} else {
		err = readBatches(s, visit)
	}
	if err != nil && w.kept < len(w.logs) && strings.Contains(err.Error(), "prune") {
		return nil // expected error: lines of the pruned log
	}
	for i := range w.kept {
		if err == nil && len(seen[i]) < acked[i] {
			err = fmt.Errorf("%s: %d lines, and %d were written before", w.logs[i].stream.Path, len(seen[i]), acked[i])
		}
	}
	return err
}

// visit checks a line of a scan.
func (w *witness) visit(seen []map[int64]bool, id schema.StreamID, offset int64, text string) error {
	for i, l := range w.logs {
		if l.stream.ID != id {
			continue
		}
		w.mu.Lock()
		n, known := w.starts[i][offset]
		same := known && w.lines[i][n] == text
		w.mu.Unlock()
		if !same || seen[i][offset] {
			return fmt.Errorf("%s: line at %d: known %v, as written %v, seen before %v", l.stream.Path, offset, known, same, seen[i][offset])
		}
		seen[i][offset] = true
		return nil
	}
	return fmt.Errorf("a line of stream %s", id)
}

func readRows(s *columnar.Snapshot, visit func(schema.StreamID, int64, string) error) error {
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

func readBatches(s *columnar.Snapshot, visit func(schema.StreamID, int64, string) error) error {
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
