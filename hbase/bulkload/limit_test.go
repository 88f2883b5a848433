package bulkload

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sluice/schema"
)

// sizedRows returns n rows with a value of so many bytes, whose keys are in order from the number on.
func sizedRows(from, n, valueBytes int) *schema.Rows {
	rows := new(schema.Rows)
	for i := range n {
		value := make([]byte, valueBytes)
		for j := range value {
			value[j] = byte(i * j)
		}
		rows.Append(fmt.Appendf(nil, "%09d", from+i), 1e6, []schema.Cell{{Qualifier: "line", Value: value}})
	}
	return rows
}

func diskBytes(t *testing.T, l *Loader) (n int64) {
	t.Helper()
	for _, name := range localFiles(t, l) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// Rows in order are all written to one open file, which counts as complete ones do.
func TestFilesAreLoadedWhenTheyReachTheLimitOfTheLocalDisk(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		f := &fakeServer{}
		l, table, closeServed := newServed(t, f, &fakeStaging{}, 0)
		const limit, batches, batchRows, valueBytes = 4 << 20, 40, 1000, 400
		l.localBytes = limit
		for i := range batches {
			if !inOrder {
				i = batches - i
			}
			if err := l.Put(t.Context(), sizedRows(i*batchRows, batchRows, valueBytes)); err != nil {
				t.Fatal(err)
			}
			// What one Put adds, after a window that it filled.
			if most := int64(limit + batchRows*valueBytes*2 + l.sorter.windowBytes); diskBytes(t, l) > most {
				t.Fatalf("in order %t: %d bytes on the disk, the limit is %d", inOrder, diskBytes(t, l), limit)
			}
		}
		if loads := f.count(methodLoad); loads < 2 || table.rows > 0 {
			t.Errorf("in order %t: %d loads, %d rows for Put", inOrder, loads, table.rows)
		}
		closeServed()
	}
}

// A load at the limit fails, and a later Flush succeeds: no row of the Put in between is missing.
func TestRowsForPutAreNotLostIfALoadAtTheLimitFails(t *testing.T) {
	l, r, table := newLocal(t)
	if err := l.Put(t.Context(), localRows(10)); err != nil {
		t.Fatal(err)
	}
	if err := l.sorter.end(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	l.localBytes = 1
	whole := r.files
	r.files = append(whole[:1:1], &localFile{path: filepath.Join(l.local.path, "absent")})
	undated := new(schema.Rows)
	undated.Append([]byte("undated"), 0, []schema.Cell{{Qualifier: "line", Value: []byte("-")}})
	if err := l.Put(t.Context(), undated); err == nil {
		t.Fatal("a load of an absent file succeeded")
	}
	r.files = whole
	l.uploader.fallback.giveUp(errors.New("no loads"))
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if table.rows != 11 {
		t.Errorf("%d rows are in the table, want 11", table.rows)
	}
}

// The rows of a file that cannot be loaded may be large.
func TestRowsThatArePutBackHaveABoundedSize(t *testing.T) {
	l, _, table := newLocal(t)
	const rows, size = 40, maxRowBytes - 1000
	for i := range rows {
		if err := l.Put(t.Context(), sizedRows(i, 1, size)); err != nil {
			t.Fatal(err)
		}
	}
	l.uploader.fallback.giveUp(errors.New("no loads"))
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if table.rows != rows || table.mostBytes > putBytes+maxRowBytes {
		t.Errorf("%d rows were put, at most %d bytes at a time", table.rows, table.mostBytes)
	}
}
