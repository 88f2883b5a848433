package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"sluice/schema"
)

func TestAReaderSeesWhatWasFlushedWhenItOpened(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, open(t, dir, Options{}), 1)
	w.put(100)
	w.flush()
	w.put(10)
	before := files(t, dir)
	reader := open(t, dir, Options{ReadOnly: true})
	if n := count(t, reader); n != 100 {
		t.Errorf("%d rows, want 100", n)
	}
	if after := files(t, dir); len(after) != len(before) {
		t.Errorf("the reader made files: %v", after)
	}
	// Compactions take away every file that the reader has; it reads on.
	for range 5 {
		w.put(1000)
		w.flush()
	}
	if err := w.table.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	if n := count(t, reader); n != 100 {
		t.Errorf("%d rows after a compaction, want 100", n)
	}
	if n := count(t, open(t, dir, Options{ReadOnly: true})); n != 5110 {
		t.Errorf("a new reader has %d rows, want 5110", n)
	}
}

func TestReadersOpenWhileFilesComeAndGo(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, open(t, dir, Options{}), 1)
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error {
		for ctx.Err() == nil {
			if err := errors.Join(w.table.Put(t.Context(), w.next(50)), w.table.Flush(t.Context()),
				w.table.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false)); err != nil {
				return err
			}
		}
		return nil
	})
	last := 0
	for range 25 {
		reader := open(t, dir, Options{ReadOnly: true})
		n := count(t, reader)
		if n < last || n%50 != 0 {
			t.Errorf("%d rows, %d before", n, last)
		}
		last = n
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestAMissingFileIsSaid(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, open(t, dir, Options{}), 1)
	w.put(100)
	w.flush()
	if err := w.table.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	if err := os.Remove(tables[0]); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		expectUntouched(t, dir, Options{ReadOnly: readOnly}, os.ErrNotExist)
	}
}

func TestADamagedFileIsAnErrorOfTheScan(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, open(t, dir, Options{}), 1)
	w.put(5000)
	w.flush()
	if err := w.table.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tables {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range min(len(b)/2, 20_000) {
			b[i] ^= 0x55
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, readOnly := range []bool{true, false} {
		table, err := Open(dir, Options{ReadOnly: readOnly})
		if err != nil {
			continue // said even earlier
		}
		failed := false
		for _, err := range table.Scan(t.Context(), schema.Scan{}) {
			failed = failed || err != nil
		}
		if !failed {
			t.Error("damage was not said")
		}
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	}
}
