package embedded

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// filling is a disk that is full from the write with this number on, until it is freed.
func filling(mem vfs.FS, failAt int) (disk vfs.FS, free func() (failed bool)) {
	var writes atomic.Int64
	var freed, failed atomic.Bool
	disk = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpRemove && writes.Add(1) > int64(failAt) && !freed.Load() {
			failed.Store(true)
			return syscall.ENOSPC
		}
		return nil
	}))
	return disk, func() bool { freed.Store(true); return failed.Load() }
}

func tolerate(err error) bool { return errors.Is(err, syscall.ENOSPC) }

// TestAnOpenOnAFullDiskEndsAndGoesOnWhenThereIsRoom: whichever write of an open is the
// first that fails, of a table that is new and of one that was closed well.
func TestAnOpenOnAFullDiskEndsAndGoesOnWhenThereIsRoom(t *testing.T) {
	for _, before := range []int{0, 500} {
		for failAt := 0; ; failAt++ {
			mem := vfs.NewMem()
			if before > 0 {
				table := open(t, "/data/table", Options{fs: mem})
				w := newWriter(t, table, 1)
				w.put(before)
				w.flush()
				if err := table.Close(); err != nil {
					t.Fatal(err)
				}
			}
			disk, free := filling(mem, failAt)
			if table, err := Open("/data/table", Options{fs: disk}); err == nil {
				if free() {
					t.Errorf("write %d failed, and Open said nothing", failAt)
				}
				if err := table.Close(); err != nil {
					t.Error(err)
				}
				t.Logf("%d writes", failAt)
				break
			} else if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("write %d: %v", failAt, err)
			}
			table := open(t, "/data/table", Options{fs: disk, Tolerate: tolerate})
			if err := table.Put(t.Context(), newWriter(t, table, 1).next(10)); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("put into a table whose disk is full: %v", err)
			}
			if err := table.Flush(t.Context()); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("flush of a table whose disk is full: %v", err)
			}
			if err := table.Reopen(); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("reopened on a full disk: %v", err)
			}
			free()
			if err := table.Reopen(); err != nil {
				t.Fatal(err)
			}
			w := newWriter(t, table, 1)
			w.put(before + 100)
			w.flush()
			if n := count(t, table); n != before+100 {
				t.Fatalf("write %d: %d rows, want %d", failAt, n, before+100)
			}
			if err := table.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestATableGoesOnAfterItsDiskWasFull: put again what was not flushed, and the table is
// whole, whichever write failed.
func TestATableGoesOnAfterItsDiskWasFull(t *testing.T) {
	for failAt := 0; ; failAt += 3 {
		disk, free := filling(vfs.NewMem(), failAt)
		table := open(t, "/data/table", Options{fs: disk, Tolerate: tolerate})
		flushed := map[string]string{}
		err := load(newWriter(t, table, 7), rand.New(rand.NewPCG(7, 2)), func(rows map[string]string) { flushed = rows })
		if err == nil {
			err = table.Flush(t.Context())
		}
		if !free() {
			t.Logf("%d writes", failAt)
			return
		}
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		if err := table.Reopen(); err != nil {
			t.Fatal(err)
		}
		expectFlushed(t, table, flushed)
		expectWhole(t, table, 7)
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
