package localdir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mount mounts a new file system on a new directory, or skips the test.
func mount(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a tmpfs cannot be mounted here (it needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

func TestAFullDiskIsReportedAndRecovers(t *testing.T) {
	root := mount(t, "size=1m")
	a := openArchive(t, root)
	local := writeFile(t, filepath.Join(t.TempDir(), "1.gz"), strings.Repeat("x", 700<<10))
	filler := writeFile(t, filepath.Join(root, "filler"), strings.Repeat("y", 500<<10))
	for range 2 {
		if err := a.Store(t.Context(), local, "d/f.gz"); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v, want ENOSPC", err)
		}
		if left := leftovers(t, root); len(left) != 0 {
			t.Errorf("left are %v", left)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := a.Store(t.Context(), local, "d/f.gz"); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestAReadOnlyDiskIsReported(t *testing.T) {
	root := mount(t, "size=1m")
	a := openArchive(t, root)
	local := writeFile(t, filepath.Join(t.TempDir(), "1.gz"), "x")
	if err := syscall.Mount("tmpfs", root, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("cannot be mounted again as read-only: %v", err)
	}
	if err := a.Store(t.Context(), local, "d/f.gz"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("%v, want EROFS", err)
	}
	if _, err := Open(root, "c1"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("open: %v, want EROFS", err)
	}
}
