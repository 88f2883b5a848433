package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"sluice/hbase/tabletest"
	"sluice/schema"
)

func layout(t testing.TB, name string) *schema.Layout {
	t.Helper()
	l, err := schema.NewLayout(name)
	if err != nil {
		t.Fatal(err)
	}
	return &l
}

// files are the names and sizes of everything under dir.
func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	sizes := make(map[string]int64)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sizes[path] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sizes
}

// expectUntouched opens what cannot be opened, and compares the folder.
func expectUntouched(t *testing.T, dir string, o Options, want error) error {
	t.Helper()
	before := files(t, dir)
	table, err := Open(dir, o)
	if err == nil {
		t.Fatal("it was opened", table.Close())
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
	after := files(t, dir)
	for path, size := range after {
		if was, there := before[path]; !there || was != size {
			t.Errorf("%s was changed", path)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, %d before", len(after), len(before))
	}
	return err
}

func TestATableKeepsItsLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "table")
	want := layout(t, schema.LayoutTyped)
	want.Salts, want.Cells = 5, []string{"status", "path"}
	if err := open(t, dir, Options{Layout: want}).Close(); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {ReadOnly: true}, {Layout: want}, {Layout: want, ReadOnly: true}} {
		table := open(t, dir, o)
		if got := table.Layout(); !got.Equal(*want) {
			t.Errorf("%+v, want %+v", got, *want)
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, readOnly := range []bool{false, true} {
		err := expectUntouched(t, dir, Options{Layout: layout(t, schema.LayoutFlume), ReadOnly: readOnly}, nil)
		var layoutErr *LayoutError
		if !errors.As(err, &layoutErr) {
			t.Fatalf("%v is not a LayoutError", err)
		}
		for _, part := range []string{dir, "typed, not flume", "family l, not prop", "salts 5, not 0", "cells status,path, not all"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
}

func TestALayoutThatCannotBeUsedMakesNoTable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "table")
	if _, err := Open(dir, Options{Layout: &schema.Layout{Name: "packed"}}); !errors.Is(err, schema.ErrLayout) {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the folder was made")
	}
}

func TestAnotherFolderIsLeftAlone(t *testing.T) {
	photos := t.TempDir()
	if err := os.WriteFile(filepath.Join(photos, "cat.jpg"), []byte("miaow"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := t.TempDir()
	db, err := pebble.Open(store, &pebble.Options{Logger: pebbleLog{discard}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("theirs"), nil, pebble.Sync), db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		expectUntouched(t, photos, Options{ReadOnly: readOnly}, ErrNotTable)
		expectUntouched(t, store, Options{ReadOnly: readOnly}, ErrNotTable)
	}
	file := filepath.Join(photos, "cat.jpg")
	if _, err := Open(file, Options{}); err == nil {
		t.Error("a file was opened")
	}
}

func TestThereIsNothingToReadBeforeATableIsMade(t *testing.T) {
	dir := t.TempDir()
	expectUntouched(t, dir, Options{ReadOnly: true}, ErrNoTable)
	if _, err := Open(filepath.Join(dir, "none"), Options{ReadOnly: true}); !errors.Is(err, ErrNoTable) {
		t.Error(err)
	}
	open(t, dir, Options{})
}

func TestASecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	table := open(t, dir, Options{})
	expectUntouched(t, dir, Options{}, ErrLocked)
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
}

func TestAClosedTableAndOneThatIsOnlyReadTakeNothing(t *testing.T) {
	dir := t.TempDir()
	table := open(t, dir, Options{})
	reader := open(t, dir, Options{ReadOnly: true})
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	rows := logRows(t, 1)
	for _, table := range []*Table{table, reader} {
		if err := table.Put(t.Context(), rows); !errors.Is(err, ErrClosed) {
			t.Errorf("put: %v", err)
		}
		if err := table.Flush(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("flush: %v", err)
		}
	}
	if _, err := table.Streams(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("streams: %v", err)
	}
	for _, err := range table.Scan(t.Context(), schema.Scan{}) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("scan: %v", err)
		}
	}
}

// count scans everything.
func count(t *testing.T, table *Table) int {
	t.Helper()
	n := 0
	for _, err := range table.Scan(t.Context(), schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// writer puts lines of one log.
type writer struct {
	t     *testing.T
	table *Table
	log   *tabletest.Log
	rows  schema.Rows
}

func newWriter(t *testing.T, table *Table, seed uint64) *writer {
	return &writer{t: t, table: table, log: tabletest.NewLog("web01", seed)}
}

// next makes the log's next n lines.
func (w *writer) next(n int) *schema.Rows {
	e := w.table.Layout().NewRowEncoder(&w.log.Stream, tabletest.Fields)
	w.rows.Reset()
	for range n {
		rec, offset := w.log.Next()
		rec.Line = append([]byte(nil), rec.Line...)
		e.Append(&w.rows, offset, rec)
	}
	return &w.rows
}

func (w *writer) put(n int) {
	w.t.Helper()
	if err := w.table.Put(w.t.Context(), w.next(n)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) flush() {
	w.t.Helper()
	if err := w.table.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}
