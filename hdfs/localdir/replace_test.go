package localdir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	root, local := t.TempDir(), filepath.Join(t.TempDir(), "new.gz")
	a, err := Open(root, "c1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(local, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Replace(t.Context(), local, "d/f.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replace of nothing: %v", err)
	}
	if err := a.Store(t.Context(), local, "d/f.gz"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(local); err != nil { // it may be a link to the stored one
		t.Fatal(err)
	}
	if err := os.WriteFile(local, []byte("new one"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Replace(ended, local, "d/f.gz"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	content := func() string {
		b, err := os.ReadFile(filepath.Join(root, "d", "f.gz"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if content() != "old" {
		t.Errorf("a replace that failed left %q", content())
	}
	if err := a.Replace(t.Context(), local, "d/f.gz"); err != nil || content() != "new one" {
		t.Errorf("%v, %q", err, content())
	}
	if left, err := os.ReadDir(a.tmpDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestARemovedFileIsGone(t *testing.T) {
	root, local := t.TempDir(), filepath.Join(t.TempDir(), "new.gz")
	a, err := Open(root, "c1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(local, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Store(t.Context(), local, "d/f.gz"); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(t.Context(), "../new.gz"); err == nil {
		t.Error("a name that leads out of the archive was taken")
	}
	if err := a.Remove(t.Context(), "d/f.gz"); err != nil {
		t.Fatal(err)
	}
	if files, err := a.List(t.Context()); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
	if err := a.Remove(t.Context(), "d/f.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("once more: %v", err)
	}
}

func TestAnArchiveIsReadWithoutBeingTouched(t *testing.T) {
	root := t.TempDir()
	if _, err := OpenToRead(filepath.Join(root, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
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
