package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"

	"sluice/table/columnar"
)

// columnLines are the lines of all Parquet files.
func (f *fakeArchive) columnLines(t *testing.T) []string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, b := range f.files {
		file, err := columnar.OpenFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var rows columnar.Batch
		for i := range file.Groups() {
			if err := file.Read(i, nil, &rows); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for row := range rows.Rows {
				line, err := rows.Line(nil, row)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				out = append(out, string(line))
			}
		}
	}
	slices.Sort(out)
	return out
}

// sameAsSegments fails unless each Parquet file has the bytes that its archived segment
// makes.
func (r *rig) sameAsSegments(t *testing.T) {
	t.Helper()
	if len(r.columns.files) != len(r.archive.files) || len(r.columns.files) == 0 {
		t.Fatalf("%d files of columns, %d of the archive", len(r.columns.files), len(r.archive.files))
	}
	for name, segment := range r.archive.files {
		base := strings.TrimSuffix(name, ".log.gz")
		var want bytes.Buffer
		_, err := columnar.FromSegment(t.Context(), bytes.NewReader(segment), int64(len(segment)), &want,
			columnar.WriterOptions{Segment: path.Base(base), RowGroupRows: r.cfg.rowGroupRows}, columnar.EncoderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.columns.files[base+columnar.Suffix]; !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: %d bytes, the segment makes %d others", base, len(got), want.Len())
		}
	}
}

// TestAFileIsTheSameHoweverItIsMade: filled while the segment grows, by many goroutines
// that append to it, or made from it because there was no memory for it.
func TestAFileIsTheSameHoweverItIsMade(t *testing.T) {
	for name, memory := range map[string]int{"filled": 0, "made from its segment": 1, "given up half way": 100_000} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *CollectorConfig) { c.RollBytes, c.columnBytes, c.rowGroupRows = 100_000, memory, 700 })
			var sending errgroup.Group
			var logs []string
			for i := range 8 {
				log := strings.ReplaceAll(crashLog(800), "GET /", fmt.Sprintf("GET /s%d/", i))
				log = strings.ReplaceAll(log, "bad line", fmt.Sprintf("bad line of %d", i))
				logs = append(logs, log)
				s := r.stream(t, "web01", log, uint64(i))
				sending.Go(func() error { return r.send(t.Context(), s, log, rand.New(rand.NewPCG(1, uint64(i)))) })
			}
			if err := sending.Wait(); err != nil {
				t.Fatal(err)
			}
			if err := r.collector.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.holds(t, name, logs...)
			r.sameAsSegments(t)
		})
	}
}

// TestATableOfColumnsThatIsAwayIsWaitedFor: State says since when and why, segments stay,
// and when it is back all of them are stored.
func TestATableOfColumnsThatIsAwayIsWaitedFor(t *testing.T) {
	log := crashLog(300)
	for _, rows := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(c *CollectorConfig) {
				if !rows {
					c.Table = nil
				}
			})
			var mu sync.Mutex
			down := errors.New("no space left on device")
			r.columns.fail = func() error { mu.Lock(); defer mu.Unlock(); return down }
			s := r.stream(t, "web01", log, 2)
			if err := r.send(t.Context(), s, log, rand.New(rand.NewPCG(1, 1))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			state := r.collector.State()
			what := "table: web01/"
			if rows {
				what = "columnar: web01/"
			}
			if len(state.Troubles) == 0 || !strings.HasPrefix(state.Troubles[0].What, what) || !strings.Contains(state.Troubles[0].Error, "no space left") {
				t.Fatalf("%+v: want the trouble of %s", state.Troubles, what)
			}
			if lag := state.UntabledBytes; (lag > 0) == rows {
				t.Errorf("rows %v: %d bytes are not in the table", rows, lag)
			}
			if s.Stored != 0 || r.collector.Counters.Rows.Load() > 0 != rows {
				t.Errorf("%d bytes are stored, %d rows", s.Stored, r.collector.Counters.Rows.Load())
			}
			mu.Lock()
			down = nil
			mu.Unlock()
			if err := r.collector.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if state := r.collector.State(); len(state.Troubles) > 0 || state.UntabledBytes > 0 {
				t.Errorf("left: %+v", state)
			}
			if lines := int64(strings.Count(log, "\n") + 1); r.collector.Counters.Rows.Load() != lines {
				t.Errorf("%d rows of %d lines", r.collector.Counters.Rows.Load(), lines)
			}
			if !rows {
				r.table = nil
			}
			r.holds(t, "the table was away", log)
		})
	}
}

// TestWhatIsStoredIsNotMadeAgain: a segment that is kept after it was stored costs a start
// no Parquet file.
func TestWhatIsStoredIsNotMadeAgain(t *testing.T) {
	log := crashLog(200)
	r := newRig(t, func(c *CollectorConfig) { c.KeepLocal = 1 << 40; c.Table = nil })
	s := r.stream(t, "web01", log, 2)
	if err := r.send(t.Context(), s, log, rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.columns.fail = func() error { return errors.New("stored again") }
	r.cfg.Patient = false
	r.restart(t)
	if err := r.collector.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
