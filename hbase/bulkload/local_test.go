package bulkload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/hbase/hfile"
	"sluice/hbase/region"
	"sluice/retry"
	"sluice/schema"
)

// putTable counts the rows that go to Put.
type putTable struct {
	rows      int
	mostBytes int   // of the values of one Put
	err       error // of Put
}

func (p *putTable) Put(_ context.Context, rows *schema.Rows) error {
	p.rows += rows.Len()
	n := 0
	for i := range rows.Len() {
		n += valueBytes(rows.Cells(i))
	}
	p.mostBytes = max(p.mostBytes, n)
	return p.err
}

func (p *putTable) Flush(context.Context) error { return nil }

// newLocal returns a loader without a cluster, and the run of its only region.
func newLocal(t *testing.T) (*Loader, *run, *putTable) {
	t.Helper()
	table, cluster := &putTable{}, &region.Cluster{}
	l := newLoader(cluster, cluster.Table("t"), &retry.Registry{}, table, Options{
		Dir: t.TempDir(), Layout: schema.Layout{Family: "l"}, Compression: hfile.Uncompressed,
		WindowBytes: 1 << 20, LocalBytes: 1 << 30, Logger: slog.New(slog.DiscardHandler),
	})
	l.last = l.sorter.begin(&region.Region{}, false, false)
	return l, l.last, table
}

// localRows returns rows with the keys 000, 001 and so on.
func localRows(n int) *schema.Rows {
	rows := new(schema.Rows)
	for i := range n {
		rows.Append(fmt.Appendf(nil, "%03d", i), 1e6, []schema.Cell{{Qualifier: "line", Value: []byte("GET / HTTP/1.1")}})
	}
	return rows
}

// localFiles returns the files on the local disk.
func localFiles(t *testing.T, l *Loader) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(l.local.path, "*"+fileSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// After an error of the local disk rows may be lost: no Flush may report them as durable.
func TestNoFlushSucceedsAfterALocalFileWasLost(t *testing.T) {
	l, _, _ := newLocal(t)
	if err := l.Put(t.Context(), localRows(10)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(l.local.path, l.local.path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Flush without a disk: %v", err)
	}
	if err := os.Rename(l.local.path+".away", l.local.path); err != nil {
		t.Fatal(err)
	}
	if err := l.Put(t.Context(), localRows(1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Put after it: %v", err)
	}
	if err := l.Flush(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Flush after it: %v", err)
	}
}

// One file could not be loaded: the others are not even tried, and their rows go to Put.
func TestFilesAreNotTriedAfterOneCouldNotBeLoaded(t *testing.T) {
	l, _, table := newLocal(t)
	if err := l.Put(t.Context(), localRows(10)); err != nil {
		t.Fatal(err)
	}
	l.uploader.fallback.giveUp(errors.New("the staging directory is full"))
	if err := l.Flush(t.Context()); err != nil { // a try would need a session, and there is none
		t.Fatal(err)
	}
	if table.rows != 10 || len(localFiles(t, l)) > 0 {
		t.Errorf("%d rows were put; left are %v", table.rows, localFiles(t, l))
	}
}

// A load ends between the parts of a file: the file stays for the next Flush, its parts do not.
func TestPartsOfAFileThatCouldNotBeLoadedAreRemoved(t *testing.T) {
	l, r, table := newLocal(t)
	if err := l.Put(t.Context(), localRows(10)); err != nil {
		t.Fatal(err)
	}
	if err := l.sorter.end(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	whole := r.files[0]
	first := &region.Region{End: []byte("004")}
	x := transfer{u: l.uploader, file: whole}
	parts, err := l.local.cut(t.Context(), whole, first)
	if err != nil || len(parts) != 2 || string(parts[0].last) != "003" || string(parts[1].first) != "004" || len(localFiles(t, l)) != 3 {
		t.Fatalf("cut into %d parts: %v, %v", len(parts), localFiles(t, l), err)
	}
	if err := removeAll(parts); err != nil {
		t.Fatal(err)
	}
	l.uploader.fallback.giveUp(errors.New("no loads"))
	table.err = errors.New("no puts either")
	if err := x.loadParts(t.Context(), first); !errors.Is(err, table.err) {
		t.Errorf("load of the parts: %v", err)
	}
	if left := localFiles(t, l); len(left) != 1 || left[0] != whole.path {
		t.Errorf("left are %v, want the whole file", left)
	}
}

// A run that was interrupted neither merges nor cuts files that it will not load: they may be large.
func TestFilesAreNotMergedOrCutAfterAnInterrupt(t *testing.T) {
	l, r, _ := newLocal(t)
	for range 2 {
		if err := l.Put(t.Context(), localRows(10)); err != nil {
			t.Fatal(err)
		}
		if err := l.sorter.end(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.uploader.loadAll(ctx, l.sorter.runs); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := l.local.cut(ctx, r.files[0], r.region); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left := localFiles(t, l); len(r.files) != 2 || len(left) != 2 {
		t.Errorf("left are %v", left)
	}
}

// An interrupt that stops merging loses no rows: a later Flush loads the files as they are.
func TestAFlushAfterAnInterruptedMergeHasAllRows(t *testing.T) {
	l, r, table := newLocal(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range fanIn {
		if err := l.Put(ctx, sizedRows(i, 1, 10)); err != nil {
			t.Fatal(err)
		}
		if i == fanIn-1 {
			cancel()
		}
		if err := l.sorter.end(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.files) != fanIn {
		t.Fatalf("%d files, want all of %d", len(r.files), fanIn)
	}
	l.uploader.fallback.giveUp(errors.New("no loads"))
	if err := l.Flush(t.Context()); err != nil || table.rows != fanIn {
		t.Errorf("%d rows are in the table, want %d: %v", table.rows, fanIn, err)
	}
}

// A record that this user cannot read is of a directory that still has to be removed; a torn one is
// not.
func TestARecordThatCannotBeReadIsKept(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	d := &directories{records: records{dir: dir, table: "t"}, logger: slog.New(slog.NewTextHandler(&log, nil))}
	for name, text := range map[string]string{"torn.staging": `{"tab`, "empty.staging": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Opening a loop of links fails for any user, unlike a file without permissions.
	if err := os.Symlink("loop.staging", filepath.Join(dir, "loop.staging")); err != nil {
		t.Fatal(err)
	}
	if err := d.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "loop.staging" {
		t.Errorf("left are %v, %v", left, err)
	}
	if !strings.Contains(log.String(), "loop.staging") {
		t.Errorf("logged: %s", &log)
	}
}
