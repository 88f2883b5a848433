package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
)

// life takes the log from where the checkpoint says to its end, or as far as it
// comes.
func life(fs *crashfs.FS, to sinks, log string, random *rand.Rand) error {
	ctx := context.Background()
	if err := vfs.MkdirAll(fs, "/data", 0o700); err != nil {
		return err
	}
	seen := checkpoint.Log{Path: "access.log", ID: logfile.ID{Device: 1, Inode: 2}, Start: []byte(log), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(log)), nil }}
	checkpoint, err := checkpoint.Open(fs, "/data/checkpoint", "c1")
	if err != nil {
		return err
	}
	tracked, err := checkpoint.Identify(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: "access.log", Format: "common"}}, seen)
	if err != nil {
		return err
	}
	if err := checkpoint.Save(); err != nil {
		return err
	}
	cfg := Config{
		FS: fs, SpoolDir: "/data/spool", Checkpoint: checkpoint, Archive: to.archive,
		Naming: collectortest.Days{}, RollBytes: 900, Level: 1, Log: slog.New(slog.DiscardHandler), rowGroupRows: 20,
	}
	if to.table != nil {
		cfg.Table = to.table
	}
	if to.columns != nil {
		cfg.Columns, cfg.ColumnNaming = to.columns, collectortest.Days{}
	}
	c, err := New(ctx, cfg)
	if err != nil {
		return err
	}
	for position := int(checkpoint.Stored(tracked)); position < len(log); {
		end := min(len(log), position+1+random.IntN(900))
		if i := strings.IndexByte(log[end:], '\n'); i >= 0 {
			end += i + 1
		} else {
			end = len(log)
		}
		data := []byte(log[position:end])
		err := c.Append(ctx, tracked, schema.Batch{
			Stream: &tracked.Stream, Range: schema.Range{Start: int64(position), End: int64(end)}, Data: data, Lines: logfile.CountLines(data),
		})
		if err != nil {
			return errors.Join(err, c.Abort())
		}
		position = end
	}
	if err := c.Close(ctx); err != nil {
		return err
	}
	if tracked.Stored != int64(len(log)) || tracked.Lines != int64(logfile.CountLines([]byte(log))) {
		return fmt.Errorf("at the end stored is %d of %d, lines %d", tracked.Stored, len(log), tracked.Lines)
	}
	return nil
}

// sinks are what a collector stores in; table or columns may be nil.
type sinks struct {
	table            *collectortest.Table
	archive, columns *collectortest.Archive
}

// use gives the sinks of files a file system, and a way to fail.
func (s sinks) use(fs vfs.FS, fail func() error) {
	for _, files := range []*collectortest.Archive{s.archive, s.columns} {
		if files != nil {
			files.FS, files.Fail = fs, fail
		}
	}
}

// holds fails unless each sink holds the lines, each once.
func (s sinks) holds(t *testing.T, what string, want []string) {
	t.Helper()
	check := func(name string, got []string) {
		if !slices.Equal(got, want) {
			t.Fatalf("%s: the %s holds %d lines, want %d", what, name, len(got), len(want))
		}
	}
	check("archive", s.archive.Lines(t))
	if s.table != nil {
		check("table", s.table.Lines())
	}
	if s.columns != nil {
		check("columnar table", s.columns.ColumnLines(t))
	}
}

// TestEveryLineIsStoredOnceWhereverPowerFails stops at every operation on the
// disk and in the archive, loses power, and goes on.
func TestEveryLineIsStoredOnceWhereverPowerFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		seeds uint64
		sinks func() sinks
	}{
		{"rows", 1, func() sinks { return sinks{collectortest.NewTable(), collectortest.NewArchive(nil), nil} }},
		{"columns", 1, func() sinks { return sinks{nil, collectortest.NewArchive(nil), collectortest.NewArchive(nil)} }},
		{"rows and columns", 2, func() sinks {
			return sinks{collectortest.NewTable(), collectortest.NewArchive(nil), collectortest.NewArchive(nil)}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testPowerFails(t, c.seeds, c.sinks)
		})
	}
}

func testPowerFails(t *testing.T, seeds uint64, newSinks func() sinks) {
	log := collectortest.Log(120)
	want := strings.Split(log, "\n")
	slices.Sort(want)
	stride := 1
	if testing.Short() {
		seeds = 1
	}
	if raceDetector { // each of them once more without it: make allocations
		seeds, stride = 1, 7
	}
	for seed := range seeds {
		for op := 0; ; op += stride {
			random := rand.New(rand.NewPCG(seed, uint64(op)))
			fs := crashfs.New()
			to := newSinks()
			count := 0
			var counting sync.Mutex
			dead := func() error {
				counting.Lock()
				defer counting.Unlock()
				if count++; count > op {
					return crashfs.ErrInjected
				}
				return nil
			}
			fs.Fail = func(crashfs.Op) error { return dead() }
			to.use(fs, dead)
			first := life(fs, to, log, random)
			if first != nil && !errors.Is(first, crashfs.ErrInjected) {
				t.Fatalf("seed %d, operation %d: %v", seed, op, first)
			}
			if to.table != nil {
				to.table.Crash(random)
			}
			fs = fs.Crash(random)
			to.use(fs, func() error { return nil })
			for again := range 2 { // the second finds nothing to do
				if err := life(fs, to, log, random); err != nil {
					t.Fatalf("seed %d, operation %d, life %d after %v: %v", seed, op, again+2, first, err)
				}
			}
			to.holds(t, fmt.Sprintf("seed %d, operation %d, first life %v", seed, op, first), want)
			if left := fs.Names(); !slices.Equal(left, []string{"/data/checkpoint"}) {
				t.Fatalf("seed %d, operation %d: files left: %v", seed, op, left)
			}
			if first == nil {
				t.Logf("seed %d: %d operations", seed, op)
				break
			}
		}
	}
}
