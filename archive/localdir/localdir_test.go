package localdir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/archive"
	"sluice/archive/archivetest"
)

func openArchive(t *testing.T, root string) *Archive {
	t.Helper()
	a, err := Open(root, "c1")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// noLinks returns an archive for which link(2) fails, as on another file system than the spool's.
func noLinks(t *testing.T, root string) *Archive {
	a := openArchive(t, root)
	a.link = func(oldname, newname string) error {
		return &os.LinkError{Op: "link", Old: oldname, New: newname, Err: syscall.EXDEV}
	}
	return a
}

func TestContract(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) archive.Archive{
		"linked":    func(t *testing.T) archive.Archive { return openArchive(t, t.TempDir()) },
		"copied":    func(t *testing.T) archive.Archive { return noLinks(t, t.TempDir()) },
		"root made": func(t *testing.T) archive.Archive { return openArchive(t, filepath.Join(t.TempDir(), "a", "b")) },
	} {
		t.Run(name, func(t *testing.T) {
			archivetest.Run(t, archivetest.Backend{
				Open: open,
				Leave: func(t *testing.T, a archive.Archive, name string, age time.Duration) {
					leave(t, a.(*Archive).root, name, age)
				},
				Left: func(t *testing.T, a archive.Archive) []string { return leftovers(t, a.(*Archive).root) },
			})
		})
	}
}

// leave creates a temporary file that was last written age ago.
func leave(t *testing.T, root, name string, age time.Duration) {
	t.Helper()
	path := writeFile(t, filepath.Join(root, archive.TmpDir, name), "x")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := info.ModTime().Add(-age)
	if err := os.Chtimes(path, changed, changed); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path string, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func leftovers(t *testing.T, root string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, archive.TmpDir))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestStoreLinksTheFileOnOneFileSystem(t *testing.T) {
	dir := t.TempDir()
	local := writeFile(t, filepath.Join(dir, "1.gz"), "x")
	root := filepath.Join(dir, "archive")
	if err := openArchive(t, root).Store(t.Context(), local, "d/f.gz"); err != nil {
		t.Fatal(err)
	}
	a, err := os.Stat(local)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(filepath.Join(root, "d/f.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(a, b) {
		t.Error("the segment was copied")
	}
}

// TestAWrongLocalClockRemovesNothing sets the local clock to the year 2000, and then far into the
// future, while the file system's clock is right.
func TestAWrongLocalClockRemovesNothing(t *testing.T) {
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := openArchive(t, root)
		leave(t, root, "c2~1", 25*time.Hour)
		leave(t, root, "c2~2", 23*time.Hour)
		for range 2 {
			if err := a.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left := leftovers(t, root); !slices.Equal(left, []string{"c2~2"}) {
				t.Errorf("left are %v", left)
			}
			time.Sleep(100 * 365 * 24 * time.Hour)
		}
	})
}

func TestAFailedCopyLeavesNothing(t *testing.T) {
	root := t.TempDir()
	a := noLinks(t, root)
	local := writeFile(t, filepath.Join(t.TempDir(), "1.gz"), strings.Repeat("x", 5*copyBufferBytes))
	ctx := &endingContext{Context: t.Context(), left: 4} // in the middle of the copy
	if err := a.Store(ctx, local, "d/f.gz"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if left := leftovers(t, root); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
	if _, err := a.Open(t.Context(), "d/f.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
}

// endingContext ends after the given number of calls of Err.
type endingContext struct {
	context.Context
	left int
}

func (c *endingContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestOpenReportsAnUnwritableDirectory(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "file"), "x")
	for name, root := range map[string]string{
		"the root is a file":         file,
		"the root is below a file":   filepath.Join(file, "archive"),
		"the file system refuses it": "/proc/archive",
	} {
		if _, err := Open(root, "c1"); err == nil || !strings.Contains(err.Error(), root) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, owner := range []string{"", "a~b"} {
		if _, err := Open(t.TempDir(), owner); err == nil || !strings.Contains(err.Error(), "owner id") {
			t.Errorf("owner %q: %v", owner, err)
		}
	}
}

func TestAnOwnerCannotLeaveTheDirectory(t *testing.T) {
	root := t.TempDir()
	a, err := Open(root, "../../c1")
	if err != nil {
		t.Fatal(err)
	}
	if dir := filepath.Dir(a.tmpName()); dir != filepath.Join(root, archive.TmpDir) {
		t.Errorf("temporary files are in %s", dir)
	}
}

func TestADirectoryWithoutPermissionIsReported(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere; the read-only disk and the file in the way are tested instead")
	}
	root := t.TempDir()
	a := openArchive(t, root)
	if err := os.Chmod(root, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(root, 0o700); err != nil {
			t.Error(err)
		}
	})
	local := writeFile(t, filepath.Join(t.TempDir(), "1.gz"), "x")
	if err := a.Store(t.Context(), local, "d/f.gz"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, want fs.ErrPermission", err)
	}
}
