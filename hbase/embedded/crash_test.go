package embedded

import (
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"sluice/schema"
)

// content is every row's value by key.
func content(t *testing.T, table *Table) map[string]string {
	t.Helper()
	rows := make(map[string]string)
	for r, err := range table.Scan(t.Context(), schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows[string(r.Key)] = string(appendValue(nil, r.Cells))
	}
	return rows
}

// load puts blocks of rows, flushes and rotates as rng says, and takes what was
// put; after every flush it calls flushed with that. It ends at the first error.
func load(w *writer, rng *rand.Rand, flushed func(map[string]string)) error {
	put := make(map[string]string)
	for range 12 {
		rows := w.next(1 + rng.IntN(60))
		if err := w.table.Put(w.t.Context(), rows); err != nil {
			return err
		}
		for i := range rows.Len() {
			put[string(rows.Key(i))] = string(appendValue(nil, rows.Cells(i)))
		}
		switch rng.IntN(3) {
		case 0:
			w.table.mu.Lock()
			err := w.table.rotate()
			w.table.mu.Unlock()
			if err != nil {
				return err
			}
		case 1:
			if err := w.table.Flush(w.t.Context()); err != nil {
				return err
			}
			flushed(maps.Clone(put))
		}
	}
	return nil
}

// expectFlushed: every row of want is there, as it was.
func expectFlushed(t *testing.T, table *Table, want map[string]string) {
	t.Helper()
	got := content(t, table)
	for key, value := range want {
		if got[key] != value {
			t.Fatalf("row %x was flushed, and is gone or another", key)
		}
	}
}

// expectWhole writes everything again and compares the whole table.
func expectWhole(t *testing.T, table *Table, seed uint64) {
	t.Helper()
	var want map[string]string
	w := newWriter(t, table, seed)
	if err := load(w, rand.New(rand.NewPCG(seed, 2)), func(rows map[string]string) { want = rows }); err != nil {
		t.Fatal(err)
	}
	w.flush()
	expectFlushed(t, table, want)
	again := content(t, table)
	w = newWriter(t, table, seed)
	if err := load(w, rand.New(rand.NewPCG(seed, 2)), func(map[string]string) {}); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(again, content(t, table)) {
		t.Fatal("writing the same again made another table")
	}
}

// crash is the disk as it was at some write, and what had been flushed by then.
type crash struct {
	disk    *vfs.MemFS
	flushed map[string]string
}

func TestWhatWasFlushedSurvivesACrashAtAnyWrite(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	mem := vfs.NewCrashableMem()
	var mu sync.Mutex
	var crashes []crash
	var flushed atomic.Pointer[map[string]string]
	flushed.Store(new(map[string]string))
	disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			before := *flushed.Load()
			cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}
			crashes = append(crashes, crash{mem.CrashClone(cfg), before})
		}
		return nil
	}))
	table, err := Open("/data/table", Options{fs: disk})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, table, seed)
	if err := load(w, rand.New(rand.NewPCG(seed, 2)), func(rows map[string]string) { flushed.Store(&rows) }); err != nil {
		t.Fatal(err)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d crashes", len(crashes))
	for i, c := range crashes {
		table, err := Open("/data/table", Options{fs: c.disk})
		if err != nil {
			t.Fatalf("after a crash at write %d: %v", i, err)
		}
		expectFlushed(t, table, c.flushed)
		if i%10 == 0 {
			expectWhole(t, table, seed)
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFailedWriteIsSaidAndTheTableOpensAgain(t *testing.T) {
	for failAt := 0; ; failAt++ {
		mem := vfs.NewMem()
		var n atomic.Int64
		disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			// From this write on the disk is full.
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpRemove && n.Add(1) > int64(failAt) {
				return syscall.ENOSPC
			}
			return nil
		}))
		flushed := make(map[string]string)
		err := fill(t, disk, func(rows map[string]string) { flushed = rows })
		if err == nil {
			t.Logf("%d writes", failAt)
			return
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("write %d failed, and Put or Flush said %v", failAt, err)
		}
		table, err := Open("/data/table", Options{fs: mem})
		if err != nil {
			t.Fatalf("after a failed write %d: %v", failAt, err)
		}
		expectFlushed(t, table, flushed)
		if failAt%10 == 0 {
			expectWhole(t, table, 7)
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fill opens a table on the disk, loads it and closes it. It returns the first
// error of opening and loading.
func fill(t *testing.T, disk vfs.FS, flushed func(map[string]string)) error {
	t.Helper()
	table, err := Open("/data/table", Options{fs: disk})
	if err != nil {
		return err
	}
	w := newWriter(t, table, 7)
	err = load(w, rand.New(rand.NewPCG(7, 2)), flushed)
	if err == nil {
		err = table.Flush(t.Context())
	}
	if err != nil {
		if again := table.Put(t.Context(), w.next(1)); again == nil {
			t.Error("a table whose disk failed took rows")
		}
	}
	if e := table.Close(); e != nil {
		t.Logf("close: %v", e) // the disk is full for it too
		return errors.Join(err, e)
	}
	return err
}
