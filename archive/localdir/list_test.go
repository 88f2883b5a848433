package localdir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAMovedDirectoryIsReadThroughItsLink replaces the root, a day or a file by a symbolic link to
// another disk. Links within the archive must not list a file twice.
func TestAMovedDirectoryIsReadThroughItsLink(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	real, root := filepath.Join(dir, "disk", "real"), filepath.Join(dir, "archive")
	openArchive(t, real)
	must(os.Symlink(real, root))
	a := openArchive(t, root)
	for _, name := range []string{"d1/h/a", "d2/h/b", "d3/h/c"} {
		must(a.Store(t.Context(), writeFile(t, filepath.Join(dir, "local"), name), name))
		must(os.Remove(filepath.Join(dir, "local")))
	}
	list := func(want string) {
		t.Helper()
		files, err := a.List(t.Context())
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, f := range files {
			names = append(names, fmt.Sprint(f.Name, " ", f.Bytes))
			if r, err := a.Open(t.Context(), f.Name); err != nil {
				t.Error(err)
			} else {
				r.Close()
			}
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	list("d1/h/a 6, d2/h/b 6, d3/h/c 6")
	elsewhere := filepath.Join(dir, "elsewhere")
	must(os.Rename(filepath.Join(real, "d2"), elsewhere))
	must(os.Symlink(elsewhere, filepath.Join(real, "d2")))
	must(os.Rename(filepath.Join(real, "d3/h/c"), filepath.Join(dir, "c")))
	must(os.Symlink(filepath.Join(dir, "c"), filepath.Join(real, "d3/h/c")))
	must(os.Symlink("d1", filepath.Join(real, "d0")))                // within the archive
	must(os.Symlink(elsewhere, filepath.Join(real, "d9")))           // a second link to the same directory
	must(os.Symlink("..", filepath.Join(elsewhere, "h", "up")))      // a loop
	must(os.Symlink("/dev/null", filepath.Join(real, "d1", "null"))) // not a regular file
	list("d1/h/a 6, d2/h/b 6, d3/h/c 6")
	must(a.Remove(t.Context(), "d2/h/b"))
	list("d1/h/a 6, d3/h/c 6")

	must(os.Rename(elsewhere, elsewhere+".away"))
	if _, err := a.List(t.Context()); err == nil || !strings.Contains(err.Error(), elsewhere+", which does not exist") {
		t.Errorf("a link to nothing: %v", err)
	}
	must(os.Remove(filepath.Join(real, "d2")))
	must(os.Remove(filepath.Join(real, "d9")))
	must(os.Symlink(dir, filepath.Join(real, "d2")))
	if _, err := a.List(t.Context()); err == nil || !strings.Contains(err.Error(), "holds the directory") {
		t.Errorf("a link to what holds the archive: %v", err)
	}
}
