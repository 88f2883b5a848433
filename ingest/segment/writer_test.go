package segment

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
)

// writeSegment appends the pieces as consecutive batches and seals the segment.
func writeSegment(t testing.TB, fsys vfs.FS, path string, pieces ...[]byte) (sealed string, members []Member) {
	t.Helper()
	w, err := Create(fsys, path)
	if err != nil {
		t.Fatal(err)
	}
	enc := newEncoder(t)
	start := int64(0)
	for _, p := range pieces {
		m, err := w.Append(enc, batchOf(start, p))
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
		start += int64(len(p))
	}
	sealed, err = w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return sealed, members
}

// readBack returns every member and its data.
func readBack(src io.ReaderAt, size int64) (members []Member, data [][]byte, err error) {
	r := NewReader(src, size)
	for {
		m, err := r.Next()
		if err == io.EOF {
			return members, data, nil
		}
		if err != nil {
			return members, data, err
		}
		d, err := r.Data()
		if err != nil {
			return members, data, err
		}
		members = append(members, m)
		data = append(data, bytes.Clone(d))
	}
}

func TestReaderReturnsWhatWasAppended(t *testing.T) {
	pieces := [][]byte{sampleLines(1, 100), []byte("\n"), []byte("no newline"), sampleLines(2, 9000), []byte("x\r\n\x00\xff\n")}
	path := filepath.Join(t.TempDir(), "web01", "20260903-1.gz")
	sealed, want := writeSegment(t, vfs.OS{}, path, pieces...)
	if sealed != path {
		t.Errorf("sealed as %s, want %s", sealed, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	members, data, err := readBack(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	if len(members) != len(want) {
		t.Fatalf("%d members, want %d", len(members), len(want))
	}
	for i := range want {
		if members[i] != want[i] {
			t.Errorf("member %d is %+v, want %+v", i, members[i], want[i])
		}
		if !bytes.Equal(data[i], pieces[i]) {
			t.Errorf("member %d has other data", i)
		}
	}
	if !members[2].Unterminated || members[2].Range.Len() != int64(len("no newline")) {
		t.Errorf("the batch without newline came back as %+v", members[2])
	}
}

// Other programs read a segment as one gzip file, with every line separated.
func TestOtherReadersSeeOneGzipFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "20260903-1.gz")
	first, last := sampleLines(1, 4000), sampleLines(2, 10)
	writeSegment(t, vfs.OS{}, path, first, []byte("torn off"), last)
	want := bytes.Join([][]byte{first, []byte("torn off\n"), last}, nil)

	t.Run("compress/gzip", func(t *testing.T) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
		}
	})
	t.Run("gzip -t", func(t *testing.T) { run(t, "gzip", "-t", path) })
	t.Run("zcat", func(t *testing.T) {
		if got := run(t, "zcat", path); !bytes.Equal(got, want) {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
	})
	t.Run("java.util.zip.GZIPInputStream", func(t *testing.T) {
		if testing.Short() {
			t.Skip("left out by -short: it needs Java")
		}
		if got := run(t, "java", "testdata/Gunzip.java", path); !bytes.Equal(got, want) {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
	})
}

// run skips the test if the program is missing, except in CI.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed in CI: %v", name, err)
		}
		t.Skipf("%s is not installed: %v", name, err)
	}
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.Bytes())
	}
	return out
}

func TestAppendRejectsABatchThatDiffersFromItsRange(t *testing.T) {
	good := batchOf(10, []byte("a\nb\n"))
	edit := func(f func(*schema.Batch)) schema.Batch { b := good; f(&b); return b }
	cases := map[string]schema.Batch{
		"no stream":      edit(func(b *schema.Batch) { b.Stream = nil }),
		"no data":        edit(func(b *schema.Batch) { b.Data, b.Range.End, b.Lines = nil, 10, 0 }),
		"range too long": edit(func(b *schema.Batch) { b.Range.End++ }),
		"negative start": edit(func(b *schema.Batch) { b.Range = schema.Range{Start: -4, End: 0} }),
		"reversed range": edit(func(b *schema.Batch) { b.Range = schema.Range{Start: 10, End: 6} }),
		"too few lines":  edit(func(b *schema.Batch) { b.Lines = 1 }),
		"too long":       batchOf(0, make([]byte, MaxBatchBytes+1)),
	}
	w, err := Create(crashfs.New(), "/1.gz")
	if err != nil {
		t.Fatal(err)
	}
	enc := newEncoder(t)
	for name, b := range cases {
		if _, err := w.Append(enc, b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := w.Append(enc, good); err != nil || w.Size() == 0 {
		t.Errorf("after rejected batches a valid one is not accepted: %v", err)
	}
}

func TestCreateNeverReplacesASegment(t *testing.T) {
	for _, existing := range []string{"1.gz", "1.gz.open"} {
		dir := t.TempDir()
		old := filepath.Join(dir, existing)
		if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(vfs.OS{}, filepath.Join(dir, "1.gz")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s exists: %v, want fs.ErrExist", existing, err)
		}
		if got, err := os.ReadFile(old); err != nil || string(got) != "old" {
			t.Errorf("%s is now %q, %v", existing, got, err)
		}
	}
}

func TestSealNeverReplacesASegment(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "1.gz")
	w, err := Create(vfs.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(newEncoder(t), batchOf(0, []byte("a\n"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("the sealed file is now %q, %v", got, err)
	}
}

func TestSealOfAnEmptySegmentLeavesNoFile(t *testing.T) {
	fsys := crashfs.New()
	sealed, _ := writeSegment(t, fsys, "/web01/20260903-1.gz")
	if names := fsys.Names(); sealed != "" || len(names) != 0 {
		t.Errorf("sealed as %q, left %v", sealed, names)
	}
}

func TestAnErrorStopsTheWriter(t *testing.T) {
	for _, kind := range []string{"write", "sync"} {
		t.Run(kind, func(t *testing.T) {
			fsys := crashfs.New()
			w, err := Create(fsys, "/1.gz")
			if err != nil {
				t.Fatal(err)
			}
			enc := newEncoder(t)
			fsys.Fail = func(op crashfs.Op) error {
				if op.Kind == kind {
					return crashfs.ErrInjected
				}
				return nil
			}
			_, appendErr := w.Append(enc, batchOf(0, []byte("a\n")))
			if err := errors.Join(appendErr, w.Sync()); !errors.Is(err, crashfs.ErrInjected) {
				t.Fatalf("the injected fault was not returned: %v", err)
			}
			fsys.Fail = nil
			if _, err := w.Append(enc, batchOf(2, []byte("b\n"))); !errors.Is(err, crashfs.ErrInjected) {
				t.Errorf("append after the fault: %v", err)
			}
			if err := w.Sync(); !errors.Is(err, crashfs.ErrInjected) {
				t.Errorf("sync after the fault: %v", err)
			}
			if _, err := w.Seal(); !errors.Is(err, crashfs.ErrInjected) {
				t.Errorf("seal after the fault: %v", err)
			}
		})
	}
}

func TestBatchesShareOneSync(t *testing.T) {
	fsys := crashfs.New()
	w, err := Create(fsys, "/1.gz")
	if err != nil {
		t.Fatal(err)
	}
	var appended sync.WaitGroup
	for g := range 4 {
		appended.Go(func() {
			enc, err := NewEncoder(DefaultLevel)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 10 {
				if _, err := w.Append(enc, batchOf(int64(g*1000+i*6), []byte("line.\n"))); err != nil {
					t.Error(err)
				}
				if i%5 == g {
					if err := w.Sync(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	appended.Wait()
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	before := fsys.Ops()
	if err := w.Sync(); err != nil || fsys.Ops() != before {
		t.Errorf("a sync with nothing to sync called fsync (%v)", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rec, err := Recover(fsys, w.Path(), RecoverOptions{VerifyAll: true})
	if err != nil || len(rec.Members) != 40 || rec.CutBytes != 0 {
		t.Errorf("%d members, %d bytes cut, %v; want 40, 0", len(rec.Members), rec.CutBytes, err)
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	enc := newEncoder(t)
	w := &Writer{file: discard{}}
	for name, data := range map[string][]byte{"lines": sampleLines(1, 1000), "no newline": []byte("abc")} {
		b := batchOf(0, data)
		if n := testing.AllocsPerRun(20, func() {
			if _, err := w.Append(enc, b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a batch", name, n)
		}
	}
}

func TestLevelsOutOfRangeAreRejected(t *testing.T) {
	for _, level := range []int{-1, 0, 10} {
		if _, err := NewEncoder(level); err == nil || !strings.Contains(err.Error(), "1 (fastest)") {
			t.Errorf("level %d: %v", level, err)
		}
	}
}
