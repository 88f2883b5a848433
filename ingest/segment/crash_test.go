package segment

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5106ce)) }

const crashName = "/spool/web01/20260903-1.gz"

// workload is a sequence of batches, some synced alone and some together.
type workload struct {
	pieces [][]byte
	syncs  []bool // after piece i
	acked  int    // pieces whose Sync returned nil
	sealed bool   // Seal returned nil
}

func newWorkload(rng *rand.Rand) *workload {
	w := &workload{}
	for range 2 + rng.IntN(6) {
		data := sampleLines(rng.Uint64(), 1+rng.IntN(60))
		if rng.IntN(4) == 0 {
			data = data[:len(data)-1]
		}
		w.pieces = append(w.pieces, data)
		w.syncs = append(w.syncs, rng.IntN(2) == 0)
	}
	return w
}

// run continues until the first error, like a process that is killed there.
func (w *workload) run(t *testing.T, fsys vfs.FS) {
	seg, err := Create(fsys, crashName)
	if err != nil {
		return
	}
	enc := newEncoder(t)
	start := int64(0)
	for i, data := range w.pieces {
		if _, err := seg.Append(enc, batchOf(start, data)); err != nil {
			return
		}
		start += int64(len(data))
		if w.syncs[i] {
			if seg.Sync() != nil {
				return
			}
			w.acked = i + 1
		}
	}
	if _, err := seg.Seal(); err == nil {
		w.acked, w.sealed = len(w.pieces), true
	}
}

// failFrom makes every operation from the n-th on fail, like a machine that lost power.
func failFrom(n int) func(crashfs.Op) error {
	return func(op crashfs.Op) error {
		if op.N >= n {
			return crashfs.ErrInjected
		}
		return nil
	}
}

func TestACrashAtAnyOperationKeepsWhatWasSynced(t *testing.T) {
	const seeds = 30
	for seed := range uint64(seeds) {
		quiet := crashfs.New()
		newWorkload(newRand(seed)).run(t, quiet)
		for k := range quiet.Ops() + 1 {
			rng := newRand(seed)
			load := newWorkload(rng)
			fsys := crashfs.New()
			fsys.Fail = failFrom(k)
			load.run(t, fsys)
			// The first recovery is interrupted too, at a random operation.
			fsys = fsys.Crash(rng)
			fsys.Fail = failFrom(rng.IntN(6))
			_, err := recoverAndSeal(fsys)
			if err != nil && !errors.Is(err, crashfs.ErrInjected) {
				t.Fatalf("seed %d, operation %d: %v", seed, k, err)
			}
			checkPrefix(t, seed, k, load, fsys.Crash(rng))
		}
	}
}

// recoverAndSeal does what a collector does at its start; sealed is empty if there is no segment.
func recoverAndSeal(fsys vfs.FS) (sealed string, err error) {
	if _, err := fsys.Stat(crashName); err == nil {
		return crashName, nil
	}
	rec, err := Recover(fsys, crashName+OpenSuffix, RecoverOptions{})
	if errors.Is(err, fs.ErrNotExist) || err == nil && rec.Removed {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return Seal(fsys, crashName+OpenSuffix)
}

// checkPrefix recovers what is left and compares it with what was appended.
func checkPrefix(t *testing.T, seed uint64, k int, load *workload, fsys *crashfs.FS) {
	t.Helper()
	sealed, err := recoverAndSeal(fsys)
	if err != nil {
		t.Fatalf("seed %d, operation %d: %v", seed, k, err)
	}
	var data [][]byte
	if sealed != "" {
		_, data = sealedAfterCrash(t, fsys, sealed)
	}
	if len(data) < load.acked || load.sealed && sealed == "" {
		t.Fatalf("seed %d, operation %d: %d batches left, and %d were synced", seed, k, len(data), load.acked)
	}
	for i := range data {
		if !bytes.Equal(data[i], load.pieces[i]) {
			t.Fatalf("seed %d, operation %d: batch %d is not what was appended", seed, k, i)
		}
	}
}

// sealedAfterCrash reads a sealed segment, of which every byte must be valid.
func sealedAfterCrash(t *testing.T, fsys vfs.FS, path string) ([]Member, [][]byte) {
	t.Helper()
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	members, data, err := readBack(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return members, data
}

// One operation fails and the process continues: it recovers on the same machine, which then loses
// power.
func TestOneFailedOperationLosesNothingSynced(t *testing.T) {
	for seed := range uint64(10) {
		quiet := crashfs.New()
		newWorkload(newRand(seed)).run(t, quiet)
		for k := range quiet.Ops() {
			rng := newRand(seed)
			load := newWorkload(rng)
			fsys := crashfs.New()
			fsys.Fail = func(op crashfs.Op) error {
				if op.N == k {
					return crashfs.ErrInjected
				}
				return nil
			}
			load.run(t, fsys)
			sealed, err := recoverAndSeal(fsys)
			if err != nil || load.acked > 0 && sealed == "" {
				t.Fatalf("seed %d, operation %d: sealed %q, %v", seed, k, sealed, err)
			}
			checkPrefix(t, seed, k, load, fsys.Crash(rng))
		}
	}
}
