package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
)

// fakeTable keeps rows by key; a crash keeps those that were flushed, and some
// of the others.
type fakeTable struct {
	mu                sync.Mutex
	durable, volatile map[string]string
	put               func() // if any, before rows are taken
}

func newFakeTable() *fakeTable {
	return &fakeTable{durable: map[string]string{}, volatile: map[string]string{}}
}

func (f *fakeTable) Layout() schema.Layout {
	return schema.Layout{Name: schema.LayoutTyped, Family: "l", Salts: 3}
}

func (f *fakeTable) Put(_ context.Context, rows *schema.Rows) error {
	if f.put != nil {
		f.put()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range rows.Len() {
		var line string
		for _, c := range rows.Cells(i) {
			if c.Qualifier == schema.LogbodyField {
				line = string(c.Value)
			}
		}
		f.volatile[string(rows.Key(i))] = line
	}
	return nil
}

func (f *fakeTable) Flush(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, v := range f.volatile {
		f.durable[k] = v
	}
	clear(f.volatile)
	return nil
}

func (f *fakeTable) crash(random *rand.Rand) {
	for k, v := range f.volatile {
		if random.IntN(2) == 0 {
			f.durable[k] = v
		}
	}
	clear(f.volatile)
}

// lines are the table's rows without the stream directory, sorted.
func (f *fakeTable) lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for k, v := range f.durable {
		if k[0] != 0xff {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// fakeArchive keeps what was stored; fail makes a Store fail before or after
// the file is there.
type fakeArchive struct {
	mu    sync.Mutex
	fs    vfs.FS
	files map[string][]byte
	fail  func() error

	marked []string // directories, as often as they were
	sweeps int
}

func (f *fakeArchive) Store(_ context.Context, localPath, name string) error {
	file, err := f.fs.OpenFile(localPath, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<30))
	if err != nil {
		return err
	}
	if err := f.fail(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.files[name]; ok && !bytes.Equal(old, b) {
		return fmt.Errorf("%s is there with other bytes", name)
	}
	f.files[name] = b
	return f.fail()
}

func (f *fakeArchive) Sweep(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweeps++
	return nil
}

func (f *fakeArchive) Mark(_ context.Context, dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail(); err != nil {
		return err
	}
	f.marked = append(f.marked, dir)
	return nil
}

func (f *fakeArchive) lines(t *testing.T) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, b := range f.files {
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		day := strings.Split(name, "/")[0]
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			if at, err := time.Parse("20060102", day); err != nil || !strings.Contains(line, "bad") && !strings.Contains(line, at.Format("[02/Jan/2006")) {
				t.Fatalf("%s holds a line of another day: %s", name, line)
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// days is an archive pattern of one directory a day and host.
type days struct{}

func (days) Period(t time.Time) (start, end time.Time) {
	start = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	return start, start.AddDate(0, 0, 1)
}

func (days) Expand(t time.Time, host string, _ map[string]string) (string, error) {
	return t.Format("20060102") + "/" + host, nil
}

func (days) Group(map[string]string) string { return "" }

// crashLog is a log whose lines jump over midnight, with bad lines between and
// without a newline at its end.
func crashLog(lines int) string {
	var b strings.Builder
	for i := range lines {
		if i%7 == 3 {
			fmt.Fprintf(&b, "bad line %d\n", i)
			continue
		}
		fmt.Fprintf(&b, "192.0.2.%d - - [%d/May/2015:23:59:%02d +0200] \"GET /%d HTTP/1.1\" 200 %d\n", i%250, 17+i/20%2, i%60, i, i)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

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
	cfg := CollectorConfig{
		FS: fs, SpoolDir: "/data/spool", Checkpoint: checkpoint, Archive: to.archive,
		Naming: days{}, RollBytes: 900, Level: 1, Log: slog.New(slog.DiscardHandler), rowGroupRows: 20,
	}
	if to.table != nil {
		cfg.Table = to.table
	}
	if to.columns != nil {
		cfg.Columns, cfg.ColumnNaming = to.columns, days{}
	}
	c, err := NewCollector(ctx, cfg)
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
	table            *fakeTable
	archive, columns *fakeArchive
}

// use gives the sinks of files a file system, and a way to fail.
func (s sinks) use(fs vfs.FS, fail func() error) {
	for _, files := range []*fakeArchive{s.archive, s.columns} {
		if files != nil {
			files.fs, files.fail = fs, fail
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
	check("archive", s.archive.lines(t))
	if s.table != nil {
		check("table", s.table.lines())
	}
	if s.columns != nil {
		check("columnar table", s.columns.columnLines(t))
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
		{"rows", 1, func() sinks { return sinks{newFakeTable(), newFakeArchive(), nil} }},
		{"columns", 1, func() sinks { return sinks{nil, newFakeArchive(), newFakeArchive()} }},
		{"rows and columns", 2, func() sinks { return sinks{newFakeTable(), newFakeArchive(), newFakeArchive()} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testPowerFails(t, c.seeds, c.sinks)
		})
	}
}

func newFakeArchive() *fakeArchive { return &fakeArchive{files: map[string][]byte{}} }

func testPowerFails(t *testing.T, seeds uint64, newSinks func() sinks) {
	log := crashLog(120)
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
				to.table.crash(random)
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
