package collector

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/collector/collectortest"
	"sluice/table/columnar"
)

// sameAsSegments fails unless each Parquet file has the bytes that are made from its archived
// segment.
func (r *rig) sameAsSegments(t *testing.T) {
	t.Helper()
	if len(r.columns.Files) != len(r.archive.Files) || len(r.columns.Files) == 0 {
		t.Fatalf("%d files of columns, %d of the archive", len(r.columns.Files), len(r.archive.Files))
	}
	for name, segment := range r.archive.Files {
		base := strings.TrimSuffix(name, ".log.gz")
		var want bytes.Buffer
		_, err := columnar.FromSegment(t.Context(), bytes.NewReader(segment), int64(len(segment)), &want,
			columnar.WriterOptions{Segment: path.Base(base), RowGroupRows: r.cfg.rowGroupRows}, columnar.EncoderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.columns.Files[base+columnar.Suffix]; !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: %d bytes, the segment makes %d others", base, len(got), want.Len())
		}
	}
}

// TestAFileIsTheSameHoweverItIsMade compares files that are filled while many goroutines append to
// the segment with files that are made from the segment because memory was short.
func TestAFileIsTheSameHoweverItIsMade(t *testing.T) {
	for name, memory := range map[string]int{"filled": 0, "made from its segment": 1, "given up half way": 100_000} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.RollBytes, c.columnBytes, c.rowGroupRows = 100_000, memory, 700 })
			var sending errgroup.Group
			var logs []string
			for i := range 8 {
				log := strings.ReplaceAll(collectortest.Log(800), "GET /", fmt.Sprintf("GET /s%d/", i))
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

// TestAnUnavailableColumnarTableIsWaitedFor checks that State reports the failure, that the
// segments stay, and that all of them are stored when the columnar table is available again.
func TestAnUnavailableColumnarTableIsWaitedFor(t *testing.T) {
	log := collectortest.Log(300)
	for _, rows := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				if !rows {
					c.Table = nil
				}
			})
			var mu sync.Mutex
			down := errors.New("no space left on device")
			r.columns.Fail = func() error { mu.Lock(); defer mu.Unlock(); return down }
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
			if len(state.Retries) == 0 || !strings.HasPrefix(state.Retries[0].What, what) || !strings.Contains(state.Retries[0].Error, "no space left") {
				t.Fatalf("%+v: want a retry of %s", state.Retries, what)
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
			if state := r.collector.State(); len(state.Retries) > 0 || state.UntabledBytes > 0 {
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

// TestWhatIsStoredIsNotMadeAgain checks that no Parquet file is made at a start for a stored
// segment that is kept.
func TestWhatIsStoredIsNotMadeAgain(t *testing.T) {
	log := collectortest.Log(200)
	r := newRig(t, func(c *Config) { c.KeepLocal = 1 << 40; c.Table = nil })
	s := r.stream(t, "web01", log, 2)
	if err := r.send(t.Context(), s, log, rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.columns.Fail = func() error { return errors.New("stored again") }
	r.cfg.RetryFailures = false
	r.restart(t)
	if err := r.collector.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
