package segment_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// A segment is written and sealed, and its lines are read back.
func Example() {
	dir, err := os.MkdirTemp("", "segment")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	w, err := segment.Create(vfs.OS{}, filepath.Join(dir, "web01", "20260903-1.gz"))
	if err != nil {
		panic(err)
	}
	enc, err := segment.NewEncoder(segment.DefaultLevel)
	if err != nil {
		panic(err)
	}
	log := &schema.Stream{ID: 1, Host: "web01", Path: "/var/log/apache2/access.log", Format: "common"}
	data := []byte("first\nsecond\n")
	if _, err := w.Append(enc, schema.Batch{Stream: log, Range: schema.Range{Start: 0, End: 13}, Data: data, Lines: 2}); err != nil {
		panic(err)
	}
	path, err := w.Seal() // includes Sync
	if err != nil {
		panic(err)
	}

	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	r := segment.NewReader(f, info.Size())
	for {
		m, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(err)
		}
		entry, err := r.Entry() // in the first member of each stream
		if err != nil {
			panic(err)
		}
		data, err := r.Data()
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s %s [%d, %d), %d lines:\n%s", entry.Host, entry.Path, m.Range.Start, m.Range.End, m.Lines, data)
	}
	// Output:
	// web01 /var/log/apache2/access.log [0, 13), 2 lines:
	// first
	// second
}
