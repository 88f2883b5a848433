package checkpoint

import (
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/ingest/segment/vfs/crashfs"
	"sluice/test/replay"
)

var replayFile = flag.String("replay", "", "run the script in this file instead of random ones")

// machine is a disk with a checkpoint of one stream, and what a model of it may have.
type machine struct {
	fs       *crashfs.FS
	file     *File
	stream   *Stream
	failed   bool    // an operation on the disk failed
	saved    int64   // position in the last checkpoint that was saved
	possible []int64 // positions of later calls of Save that failed
}

func newMachine(t testing.TB) *machine {
	m := &machine{fs: crashfs.New()}
	var err error
	if m.file, err = Open(m.fs, "/checkpoint", "c1"); err != nil {
		t.Fatal(err)
	}
	m.stream = identify(t, m.file, log12, "first\nsecond\n")
	m.save(t)
	return m
}

func (m *machine) save(t testing.TB) {
	position := m.stream.Stored
	switch err := m.file.Save(); {
	case err == nil:
		m.saved, m.possible = position, nil
	case errors.Is(err, crashfs.ErrInjected):
		m.possible = append(m.possible, position)
	default:
		t.Fatal(err)
	}
}

// failFrom makes all operations on the disk fail after the next n.
func (m *machine) failFrom(n int) {
	first := m.fs.Ops() + n
	m.fs.Fail = func(op crashfs.Op) error {
		if op.N < first {
			return nil
		}
		m.failed = true
		return crashfs.ErrInjected
	}
}

// crash loses power; another process opens the checkpoint.
func (m *machine) crash(t testing.TB, seed int) {
	m.fs = m.fs.Crash(rand.New(rand.NewPCG(uint64(seed), 1)))
	id := m.stream.ID
	var err error
	if m.file, err = Open(m.fs, "/checkpoint", "c2"); err != nil {
		t.Fatal(err)
	}
	if m.file.Collector() != "c1" {
		t.Fatalf("the collector's id became %q", m.file.Collector())
	}
	if m.stream = m.file.Stream(id); m.stream == nil {
		t.Fatalf("stream %v is lost", id)
	}
	if got := m.stream.Stored; got != m.saved && !slices.Contains(m.possible, got) {
		t.Fatalf("position %d; saved was %d, and possibly one of %v", got, m.saved, m.possible)
	}
	m.saved, m.possible = m.stream.Stored, nil
}

// After a loss of power at any operation of a save, the checkpoint is the old or the new one.
func TestCheckpointIsOldOrNewAfterACrash(t *testing.T) {
	var started *machine
	operations := replay.Machine[*machine]{
		Start: func(t testing.TB) *machine { started = newMachine(t); return started },
		Ops: map[string]func(testing.TB, *machine, replay.Args){
			"position N":  func(_ testing.TB, m *machine, a replay.Args) { m.stream.Stored = int64(a.Int(0)) },
			"save":        func(t testing.TB, m *machine, _ replay.Args) { m.save(t) },
			"fail-from N": func(_ testing.TB, m *machine, a replay.Args) { m.failFrom(a.Int(0)) },
			"crash N":     func(t testing.TB, m *machine, a replay.Args) { m.crash(t, a.Int(0)) },
		},
	}
	operations.Each(t, *replayFile, func(yield func(replay.Script) bool) {
		for seed := range 50 {
			for n, more := 0, true; more; n++ {
				s := replay.Script{
					replay.NewOp("position", 6), replay.NewOp("save"),
					replay.NewOp("fail-from", n), replay.NewOp("position", 13), replay.NewOp("save"),
					replay.NewOp("crash", seed*100+n),
				}
				if !yield(s) {
					return
				}
				more = started.failed
			}
		}
	})
}
