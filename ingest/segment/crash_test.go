package segment

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/test/replay"
)

var replayFile = flag.String("replay", "", "run the script in this file instead of random ones")

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5106ce)) }

const crashName = "/spool/web01/20260903-1.gz"

// machine is a disk with a process that writes a segment, and what a model of it must keep.
type machine struct {
	fs     *crashfs.FS
	seg    *Writer // nil: no process
	enc    *Encoder
	pieces [][]byte
	acked  int  // batches whose Sync returned nil
	sealed bool // Seal returned nil
	failed bool // an operation on the disk failed
}

// fail makes the operations on the disk fail that are selected by number.
func (m *machine) fail(selected func(n int) bool) {
	m.fs.Fail = func(op crashfs.Op) error {
		if !selected(op.N) {
			return nil
		}
		m.failed = true
		return crashfs.ErrInjected
	}
}

// ended ends the process after an error.
func (m *machine) ended(err error) bool {
	if err != nil {
		m.seg = nil
	}
	return err != nil
}

func (m *machine) append(seed uint64, lines int, cut bool) {
	if m.seg == nil {
		return
	}
	data := sampleLines(seed, lines)
	if cut {
		data = data[:len(data)-1]
	}
	start := int64(len(bytes.Join(m.pieces, nil)))
	m.pieces = append(m.pieces, data)
	_, err := m.seg.Append(m.enc, batchOf(start, data))
	m.ended(err)
}

func (m *machine) sync() {
	if m.seg != nil && !m.ended(m.seg.Sync()) {
		m.acked = len(m.pieces)
	}
}

func (m *machine) seal() {
	if m.seg == nil {
		return
	}
	if name, err := m.seg.Seal(); !m.ended(err) {
		m.acked, m.sealed, m.seg = len(m.pieces), name != "", nil // a segment without batches is removed
	}
}

// recover does what a collector does at its start. Only the fault may interrupt it.
func (m *machine) recover(t testing.TB) {
	m.seg = nil
	if sealed, err := recoverAndSeal(m.fs); err == nil && m.acked > 0 && sealed == "" || err != nil && !errors.Is(err, crashfs.ErrInjected) {
		t.Errorf("recovery: sealed %q, %v", sealed, err)
	}
}

// crashMachine has operations on one segment. The disk begins to fail at an operation that is
// counted from the last crash.
func crashMachine(started *machine) *replay.Machine[*machine] {
	return &replay.Machine[*machine]{
		Start: func(t testing.TB) *machine {
			*started = machine{fs: crashfs.New(), enc: newEncoder(t)}
			return started
		},
		Ops: map[string]func(testing.TB, *machine, replay.Args){
			"fail-from N": func(_ testing.TB, m *machine, a replay.Args) {
				m.fail(func(n int) bool { return n >= a.Int(0) })
			},
			"fail-once N": func(_ testing.TB, m *machine, a replay.Args) {
				m.fail(func(n int) bool { return n == a.Int(0) })
			},
			"create": func(_ testing.TB, m *machine, _ replay.Args) {
				var err error
				m.seg, err = Create(m.fs, crashName)
				m.ended(err)
			},
			"append N N":     func(_ testing.TB, m *machine, a replay.Args) { m.append(uint64(a.Int(0)), a.Int(1), false) },
			"append-cut N N": func(_ testing.TB, m *machine, a replay.Args) { m.append(uint64(a.Int(0)), a.Int(1), true) },
			"sync":           func(_ testing.TB, m *machine, _ replay.Args) { m.sync() },
			"seal":           func(_ testing.TB, m *machine, _ replay.Args) { m.seal() },
			"crash N": func(_ testing.TB, m *machine, a replay.Args) {
				m.seg, m.fs = nil, m.fs.Crash(newRand(uint64(a.Int(0))))
			},
			"recover": func(t testing.TB, m *machine, _ replay.Args) { m.recover(t) },
		},
		End: func(t testing.TB, m *machine) { m.checkPrefix(t) },
	}
}

// randomBatches are a segment's life without faults, the argument of an append being the seed and
// the number of its lines.
func randomBatches(rng *rand.Rand) replay.Script {
	s := replay.Script{replay.NewOp("create")}
	for range 2 + rng.IntN(6) {
		verb := []string{"append", "append", "append", "append-cut"}[rng.IntN(4)]
		s = append(s, replay.NewOp(verb, rng.IntN(1000), 1+rng.IntN(60)))
		if rng.IntN(2) == 0 {
			s = append(s, replay.NewOp("sync"))
		}
	}
	return append(s, replay.NewOp("seal"))
}

// A machine loses power at any operation on the disk, and once more in the first recovery.
func TestACrashAtAnyOperationKeepsWhatWasSynced(t *testing.T) {
	var m machine
	crashMachine(&m).Each(t, *replayFile, func(yield func(replay.Script) bool) {
		for seed := range uint64(30) {
			batches := randomBatches(newRand(seed))
			for k, more := 0, true; more; k++ {
				rng := rand.New(rand.NewPCG(seed, uint64(k)))
				s := slices.Concat(replay.Script{replay.NewOp("fail-from", k)}, batches, replay.Script{
					replay.NewOp("crash", rng.IntN(1000)), replay.NewOp("fail-from", rng.IntN(6)), replay.NewOp("recover"),
					replay.NewOp("crash", rng.IntN(1000)),
				})
				if !yield(s) {
					return
				}
				more = !m.sealed // with all of it done no operation failed
			}
		}
	})
}

// One operation fails and the process continues: it recovers on the same machine, which then loses
// power.
func TestOneFailedOperationLosesNothingSynced(t *testing.T) {
	var m machine
	crashMachine(&m).Each(t, *replayFile, func(yield func(replay.Script) bool) {
		for seed := range uint64(10) {
			batches := randomBatches(newRand(seed))
			for k, more := 0, true; more; k++ {
				rng := rand.New(rand.NewPCG(seed, uint64(k)))
				s := slices.Concat(replay.Script{replay.NewOp("fail-once", k)}, batches, replay.Script{
					replay.NewOp("recover"), replay.NewOp("crash", rng.IntN(1000)),
				})
				if !yield(s) {
					return
				}
				more = m.failed
			}
		}
	})
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
func (m *machine) checkPrefix(t testing.TB) {
	m.fs.Fail = nil
	sealed, err := recoverAndSeal(m.fs)
	if err != nil {
		t.Fatal(err)
	}
	var data [][]byte
	if sealed != "" {
		_, data = sealedAfterCrash(t, m.fs, sealed)
	}
	if len(data) < m.acked || m.sealed && sealed == "" {
		t.Fatalf("%d batches left, and %d were synced", len(data), m.acked)
	}
	for i := range data {
		if !bytes.Equal(data[i], m.pieces[i]) {
			t.Fatalf("batch %d is not what was appended", i)
		}
	}
}

// sealedAfterCrash reads a sealed segment, of which every byte must be valid.
func sealedAfterCrash(t testing.TB, fsys vfs.FS, path string) ([]Member, [][]byte) {
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
