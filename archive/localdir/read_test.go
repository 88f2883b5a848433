package localdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAnArchiveIsReadWithoutBeingChanged(t *testing.T) {
	root := t.TempDir()
	if _, err := OpenToRead(filepath.Join(root, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing one: %v", err)
	}
	a, err := OpenToRead(root)
	if err != nil {
		t.Fatal(err)
	}
	if files, err := a.List(t.Context()); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("made: %v, %v", left, err)
	}
}
