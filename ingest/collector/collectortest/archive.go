package collectortest

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/ingest/segment/vfs"
	"sluice/table/columnar"
)

// Archive keeps stored files in memory, of segments or of columns. It is safe for concurrent use;
// its fields may be read and set when no call is running.
type Archive struct {
	// FS is the file system that stored files are read from.
	FS vfs.FS
	// Files are the stored files by name.
	Files map[string][]byte
	// Fail is called before and after a file is stored. Its error is the one of the call.
	Fail func() error
	// Marked are the directories that were marked, in order and as often as they were.
	Marked []string
	// Sweeps is the number of calls of Sweep.
	Sweeps int

	mu sync.Mutex
}

// NewArchive returns an empty archive, which cannot fail.
func NewArchive(fs vfs.FS) *Archive {
	return &Archive{FS: fs, Files: map[string][]byte{}, Fail: func() error { return nil }}
}

// Store keeps a file. Storing other bytes under the same name is an error.
func (f *Archive) Store(_ context.Context, localPath, name string) error {
	file, err := f.FS.OpenFile(localPath, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<30))
	if err != nil {
		return err
	}
	if err := f.Fail(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.Files[name]; ok && !bytes.Equal(old, b) {
		return fmt.Errorf("%s is there with other bytes", name)
	}
	f.Files[name] = b
	return f.Fail()
}

// Sweep counts its calls.
func (f *Archive) Sweep(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Sweeps++
	return nil
}

// Mark adds a directory to Marked.
func (f *Archive) Mark(_ context.Context, dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.Fail(); err != nil {
		return err
	}
	f.Marked = append(f.Marked, dir)
	return nil
}

// Lines returns the lines of all segments, sorted. It fails the test if a dated line is in the
// directory of another day.
func (f *Archive) Lines(t testing.TB) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, b := range f.Files {
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		day := strings.Split(name, "/")[0]
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			if at, err := time.Parse("20060102", day); err != nil || !strings.Contains(line, "bad") && !strings.Contains(line, at.Format("[02/Jan/2006")) {
				t.Fatalf("%s holds a line of another day: %s", name, line)
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// ColumnLines returns the lines of all Parquet files, sorted.
func (f *Archive) ColumnLines(t testing.TB) []string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, b := range f.Files {
		file, err := columnar.OpenFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var rows columnar.Batch
		for i := range file.Groups() {
			if err := file.Read(i, nil, &rows); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for row := range rows.Rows {
				line, err := rows.Line(nil, row)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				out = append(out, string(line))
			}
		}
	}
	slices.Sort(out)
	return out
}
