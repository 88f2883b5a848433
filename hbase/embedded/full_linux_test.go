package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAFullDiskIsSaidAndTheTableOpensAgain(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("a tmpfs cannot be mounted here (it needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(root, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	filler := filepath.Join(root, "filler")
	if err := os.WriteFile(filler, make([]byte, 13<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "table")
	table := open(t, dir, Options{})
	w := newWriter(t, table, 1)
	w.put(1000)
	w.flush()
	var err error
	flushed := 1000
	for n := 0; err == nil && n < 1000; n++ {
		if err = table.Put(t.Context(), w.next(5000)); err == nil {
			err = table.Flush(t.Context())
		}
		if err == nil {
			flushed += 5000
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v, want ENOSPC", err)
	}
	t.Log(err)
	if n := count(t, table); n < flushed {
		t.Errorf("%d rows to read while the disk is full, want %d", n, flushed)
	}
	if err := table.Close(); err != nil {
		t.Logf("close: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	table = open(t, dir, Options{})
	if n := count(t, table); n < flushed {
		t.Errorf("%d rows after it was mended, want %d", n, flushed)
	}
	w = newWriter(t, table, 1)
	w.put(flushed + 5000)
	w.flush()
	if n := count(t, table); n != flushed+5000 {
		t.Errorf("%d rows, want %d", n, flushed+5000)
	}
}
