package tail

import (
	"os"
	"path/filepath"
	"testing"
)

// After the watcher is closed, the kernel reuses the number of its descriptor for the next file
// that is opened. A late wake must not write to that: it once corrupted the end of a table's file.
func TestALateWakeWritesToNoOtherFile(t *testing.T) {
	w, err := newWatcher()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	dir, took := t.TempDir(), false
	for _, name := range []string{"a", "b", "c", "d"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		took = took || int(f.Fd()) == w.wakeup
	}
	if !took {
		t.Fatalf("no file got the descriptor %d", w.wakeup)
	}
	w.wake()
	if err := w.close(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(b) > 0 {
			t.Errorf("%s holds % x; %v", name, b, err)
		}
	}
}
