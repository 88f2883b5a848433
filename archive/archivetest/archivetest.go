// Package archivetest tests the contract of an archive, the same for localdir and hdfs.
package archivetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/archive"
)

// Backend gives the tests access to an archive, also beyond its methods.
type Backend struct {
	// Open returns an empty archive of the owner c1.
	Open func(*testing.T) archive.Archive
	// Leave creates a file in TmpDir that was last written age ago.
	Leave func(t *testing.T, a archive.Archive, name string, age time.Duration)
	// Left returns the names in TmpDir, sorted.
	Left func(*testing.T, archive.Archive) []string
}

// Run tests the archives that b opens.
func Run(t *testing.T, b Backend) {
	for name, test := range map[string]func(*testing.T, archive.Archive){
		"what is stored is listed and read back":         storedIsRead,
		"storing again changes nothing":                  storeTwice,
		"other bytes do not replace a file":              conflict,
		"bad names are refused":                          badNames,
		"a missing local file leaves nothing":            missingLocal,
		"a local directory is not stored":                localDirectory,
		"an ended context leaves nothing":                endedContext,
		"an archive without files lists none":            emptyList,
		"opening what is not there is fs.ErrNotExist":    openMissing,
		"a sweep leaves what is stored":                  sweep,
		"files can be stored at the same time":           concurrent,
		"a file where a directory must be is an error":   fileInTheWay,
		"a directory where the file must be is an error": directoryInTheWay,
		"a replaced file has the new bytes":              replace,
		"a removed file is gone":                         remove,
		"a mark is not listed and can be made again":     mark,
	} {
		t.Run(name, func(t *testing.T) { test(t, b.Open(t)) })
	}
	t.Run("a sweep removes what is of earlier processes or abandoned", func(t *testing.T) { abandoned(t, b) })
}

// local writes a file of this content and returns its path.
func local(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "20260903-1.gz")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func store(t *testing.T, a archive.Archive, name string, content []byte) {
	t.Helper()
	if err := a.Store(t.Context(), local(t, content), name); err != nil {
		t.Fatal(err)
	}
}

// expect checks the whole content of the archive.
func expect(t *testing.T, a archive.Archive, want map[string][]byte) {
	t.Helper()
	files, err := a.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(files, func(x, y archive.File) int { return bytes.Compare([]byte(x.Name), []byte(y.Name)) }) {
		t.Errorf("not in the order of names: %v", files)
	}
	if len(files) != len(want) {
		t.Fatalf("listed %v, want %d files", files, len(want))
	}
	for _, f := range files {
		content, known := want[f.Name]
		if !known || f.Bytes != int64(len(content)) {
			t.Errorf("listed %+v, want %d bytes", f, len(content))
		}
		if got := read(t, a, f.Name); !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, not what was stored", f.Name, len(got))
		}
	}
}

func read(t *testing.T, a archive.Archive, name string) []byte {
	t.Helper()
	r, err := a.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, r.Size())
	if n, err := r.ReadAt(content, 0); n != len(content) {
		t.Fatalf("%s: read %d of %d bytes: %v", name, n, len(content), err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return content
}

// big returns bytes longer than any buffer, and not a multiple of one.
func big(seed byte) []byte {
	b := make([]byte, 3<<20+12345)
	for i := range b {
		b[i] = byte(i*i>>8) ^ seed
	}
	return b
}

func storedIsRead(t *testing.T, a archive.Archive) {
	want := map[string][]byte{
		"top.gz":                             []byte("top"),
		"20260903/web01/access.c1-1.log.gz":  big(1),
		"20260903/web01/access.c1-2.log.gz":  []byte("x"),
		"20260903/web-01/access.c1-3.log.gz": []byte("y"),
		"20260903/100%/a b é.gz":             []byte("z"),
	}
	for name, content := range want {
		store(t, a, name, content)
	}
	expect(t, a, want)
}

func storeTwice(t *testing.T, a archive.Archive) {
	content := big(2)
	path := local(t, content)
	for range 3 {
		if err := a.Store(t.Context(), path, "d/f.gz"); err != nil {
			t.Fatal(err)
		}
	}
	store(t, a, "d/f.gz", content) // from another directory
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect(t, a, map[string][]byte{"d/f.gz": content})
}

func conflict(t *testing.T, a archive.Archive) {
	content := big(3)
	store(t, a, "d/f.gz", content)
	changed := bytes.Clone(content)
	changed[len(changed)-1]++
	for _, other := range [][]byte{changed, content[:100], {}} {
		if err := a.Store(t.Context(), local(t, other), "d/f.gz"); !errors.Is(err, archive.ErrConflict) {
			t.Errorf("%d other bytes: %v, want ErrConflict", len(other), err)
		}
	}
	expect(t, a, map[string][]byte{"d/f.gz": content})
}

func badNames(t *testing.T, a archive.Archive) {
	path := local(t, []byte("x"))
	for _, name := range []string{"", "..", "../f.gz", "/f.gz", "d/../../f.gz", archive.TmpDir + "/f.gz", "d/", "d/.f.gz"} {
		if err := a.Store(t.Context(), path, name); err == nil {
			t.Errorf("stored as %q", name)
		}
		if r, err := a.Open(t.Context(), name); err == nil {
			t.Errorf("opened %q", name)
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	expect(t, a, nil)
}

func missingLocal(t *testing.T, a archive.Archive) {
	if err := a.Store(t.Context(), filepath.Join(t.TempDir(), "no.gz"), "d/f.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
	expect(t, a, nil)
}

func localDirectory(t *testing.T, a archive.Archive) {
	if err := a.Store(t.Context(), t.TempDir(), "d/f.gz"); err == nil {
		t.Error("a directory was stored")
	}
	expect(t, a, nil)
}

func endedContext(t *testing.T, a archive.Archive) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Store(ctx, local(t, big(4)), "d/f.gz"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	expect(t, a, nil)
	store(t, a, "d/f.gz", big(4))
	expect(t, a, map[string][]byte{"d/f.gz": big(4)})
}

func emptyList(t *testing.T, a archive.Archive) { expect(t, a, nil) }

func openMissing(t *testing.T, a archive.Archive) {
	if _, err := a.Open(t.Context(), "d/f.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
}

func sweep(t *testing.T, a archive.Archive) {
	store(t, a, "d/f.gz", []byte("x"))
	for range 2 {
		if err := a.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, a, map[string][]byte{"d/f.gz": []byte("x")})
	store(t, a, "d/g.gz", []byte("y"))
}

// abandoned tests that Sweep removes the owner's files of earlier processes, and those of other
// owners that are older than a day.
func abandoned(t *testing.T, b Backend) {
	a := b.Open(t)
	store(t, a, "d/f.gz", big(7))
	const hour = time.Hour
	for name, age := range map[string]time.Duration{
		"c1~1": 0, "c1~mf1x-99": 0, "c1~old-1": 30 * 24 * hour,
		"c2~1": 25 * hour, "c2~mf1x-1": 25 * hour, "c10~mf1x-1": 400 * 24 * hour, "c~mf1x-1": 25 * hour,
		"c2~mf1x-2": 23 * hour, "c2~mf1x-3": 0, "c2~mf1x-4": -25 * hour,
		"c1": 400 * 24 * hour, "other": 400 * 24 * hour, // not an upload's
	} {
		b.Leave(t, a, name, age)
	}
	for range 2 {
		if err := a.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left, want := b.Left(t, a), []string{"c1", "c2~mf1x-2", "c2~mf1x-3", "c2~mf1x-4", "other"}; !slices.Equal(left, want) {
			t.Errorf("left are %v, want %v", left, want)
		}
	}
	expect(t, a, map[string][]byte{"d/f.gz": big(7)})
}

func concurrent(t *testing.T, a archive.Archive) {
	want := map[string][]byte{}
	paths := map[string]string{}
	for i := range 8 {
		name := fmt.Sprintf("day%d/h/f%d.gz", i%2, i)
		want[name] = big(byte(i))
		paths[name] = local(t, want[name])
	}
	var stores sync.WaitGroup
	for name, path := range paths {
		stores.Go(func() {
			if err := a.Store(t.Context(), path, name); err != nil {
				t.Error(err)
			}
		})
	}
	if err := a.Sweep(t.Context()); err != nil { // removes no files of other owners
		t.Error(err)
	}
	stores.Wait()
	expect(t, a, want)
}

func fileInTheWay(t *testing.T, a archive.Archive) {
	store(t, a, "d", []byte("x"))
	if err := a.Store(t.Context(), local(t, []byte("y")), "d/f.gz"); err == nil {
		t.Error("stored below a file")
	}
	expect(t, a, map[string][]byte{"d": []byte("x")})
}

func directoryInTheWay(t *testing.T, a archive.Archive) {
	store(t, a, "d/f.gz", []byte("x"))
	if err := a.Store(t.Context(), local(t, []byte("y")), "d"); err == nil {
		t.Error("stored over a directory")
	}
	expect(t, a, map[string][]byte{"d/f.gz": []byte("x")})
}

func replace(t *testing.T, a archive.Archive) {
	store(t, a, "d/f.gz", big(5))
	store(t, a, "d/g.gz", []byte("x"))
	for _, content := range [][]byte{big(6), []byte("short"), big(6), big(6)} {
		if err := a.Replace(t.Context(), local(t, content), "d/f.gz"); err != nil {
			t.Fatal(err)
		}
		expect(t, a, map[string][]byte{"d/f.gz": content, "d/g.gz": []byte("x")})
	}
	if err := a.Replace(t.Context(), local(t, []byte("x")), "d/no.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replaced what is not there: %v, want fs.ErrNotExist", err)
	}
	if err := a.Replace(t.Context(), filepath.Join(t.TempDir(), "no.gz"), "d/f.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replaced by what is not there: %v, want fs.ErrNotExist", err)
	}
	if err := a.Replace(t.Context(), local(t, []byte("x")), "../f.gz"); err == nil {
		t.Error("replaced what is outside")
	}
	expect(t, a, map[string][]byte{"d/f.gz": big(6), "d/g.gz": []byte("x")})
}

func remove(t *testing.T, a archive.Archive) {
	store(t, a, "d/f.gz", []byte("x"))
	store(t, a, "d/g.gz", []byte("y"))
	if err := a.Remove(t.Context(), "d/f.gz"); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(t.Context(), "d/f.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed again: %v, want fs.ErrNotExist", err)
	}
	if err := a.Remove(t.Context(), "d"); err == nil {
		t.Error("removed a directory with files")
	}
	if err := a.Remove(t.Context(), "../f.gz"); err == nil {
		t.Error("removed what is outside")
	}
	expect(t, a, map[string][]byte{"d/g.gz": []byte("y")})
	store(t, a, "d/f.gz", []byte("other"))
	expect(t, a, map[string][]byte{"d/f.gz": []byte("other"), "d/g.gz": []byte("y")})
}

func mark(t *testing.T, a archive.Archive) {
	store(t, a, "d/h/f.gz", []byte("x"))
	for _, dir := range []string{"d/h", "d/h", "empty/h"} {
		if err := a.Mark(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Mark(t.Context(), "../d"); err == nil {
		t.Error("marked what is outside")
	}
	expect(t, a, map[string][]byte{"d/h/f.gz": []byte("x")})
}
