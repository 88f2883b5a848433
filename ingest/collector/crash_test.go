package collector

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
	"sluice/test/replay"
)

var replayFile = flag.String("replay", "", "run the script in this file instead of random ones")

// machine is a collector of one log, with the disk and the sinks that it uses. Disk and archives
// fail from one operation on. The collector is aborted then, and the next one reads the log.
type machine struct {
	fs  *crashfs.FS
	to  sinks
	log string

	collector *Collector // nil: not running
	stream    *checkpoint.Stream
	read      int // position in the log of the next batch

	mu     sync.Mutex
	left   int // operations that do not fail; negative: no limit
	failed bool
}

func newMachine(testing.TB) *machine {
	m := &machine{fs: crashfs.New(), left: -1}
	m.to.archive = collectortest.NewArchive(nil)
	m.use()
	return m
}

// use connects the sinks to the disk.
func (m *machine) use() {
	m.fs.Fail = func(crashfs.Op) error { return m.operation() }
	m.to.use(m.fs, m.operation)
}

// operation counts an operation on the disk or in an archive.
func (m *machine) operation() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == 0 {
		m.failed = true
		return crashfs.ErrInjected
	}
	m.left = max(-1, m.left-1)
	return nil
}

func (m *machine) failFrom(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = n
}

// stop checks the error of an operation and aborts the collector after one.
func (m *machine) stop(t testing.TB, err error) {
	if err == nil {
		return
	}
	if !errors.Is(err, crashfs.ErrInjected) {
		t.Errorf("collector: %v", err)
	}
	m.abort(t)
}

func (m *machine) abort(t testing.TB) {
	if m.collector == nil {
		return
	}
	if err := m.collector.Abort(); err != nil && !errors.Is(err, crashfs.ErrInjected) {
		t.Errorf("abort: %v", err)
	}
	m.collector = nil
}

// start starts a collector on the disk that the previous one left.
func (m *machine) start(t testing.TB) {
	m.abort(t)
	m.stop(t, m.open())
}

func (m *machine) open() error {
	if err := vfs.MkdirAll(m.fs, "/data", 0o700); err != nil {
		return err
	}
	seen := checkpoint.Log{Path: "access.log", ID: logfile.ID{Device: 1, Inode: 2}, Start: []byte(m.log), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(m.log)), nil }}
	checkpoint, err := checkpoint.Open(m.fs, "/data/checkpoint", "c1")
	if err != nil {
		return err
	}
	if m.stream, err = checkpoint.Identify(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: "access.log", Format: "common"}}, seen); err != nil {
		return err
	}
	if err := checkpoint.Save(); err != nil {
		return err
	}
	cfg := Config{
		FS: m.fs, SpoolDir: "/data/spool", Checkpoint: checkpoint, Archive: m.to.archive,
		Naming: collectortest.Days{}, RollBytes: 900, Level: 1, Log: slog.New(slog.DiscardHandler), rowGroupRows: 20,
	}
	if m.to.table != nil {
		cfg.Table = m.to.table
	}
	if m.to.columns != nil {
		cfg.Columns, cfg.ColumnNaming = m.to.columns, collectortest.Days{}
	}
	if m.collector, err = New(context.Background(), cfg); err != nil {
		m.collector = nil
		return err
	}
	m.read = int(checkpoint.Stored(m.stream))
	return nil
}

// append passes the next bytes of the log to the collector, at least that many, to the end of a
// line.
func (m *machine) append(t testing.TB, bytes int) {
	if m.collector == nil || m.read >= len(m.log) {
		return
	}
	end := min(len(m.log), m.read+bytes)
	if i := strings.IndexByte(m.log[end:], '\n'); i >= 0 {
		end += i + 1
	} else {
		end = len(m.log)
	}
	data := []byte(m.log[m.read:end])
	err := m.collector.Append(context.Background(), m.stream, schema.Batch{
		Stream: &m.stream.Stream, Range: schema.Range{Start: int64(m.read), End: int64(end)}, Data: data, Lines: logfile.CountLines(data),
	})
	m.read = end
	m.stop(t, err)
}

func (m *machine) close(t testing.TB) {
	if m.collector == nil {
		return
	}
	err := m.collector.Close(context.Background())
	m.collector = nil
	m.stop(t, err)
}

// crash simulates a power failure. The seed chooses which of the writes that were not durable are
// kept.
func (m *machine) crash(t testing.TB, seed int) {
	m.abort(t)
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	if m.to.table != nil {
		m.to.table.Crash(random)
	}
	m.fs = m.fs.Crash(random)
	m.failFrom(-1)
	m.use()
}

// check reads the rest of the log without faults, twice: the second collector must find nothing to
// do. Every line must be in each sink once.
func (m *machine) check(t testing.TB) {
	m.failFrom(-1)
	m.abort(t)
	for range 2 {
		if err := m.open(); err != nil {
			t.Fatalf("the start after the fault: %v", err)
		}
		for m.read < len(m.log) && m.collector != nil {
			m.append(t, 500)
		}
		m.close(t)
		if t.Failed() {
			return
		}
		if m.stream.Stored != int64(len(m.log)) || m.stream.Lines != int64(logfile.CountLines([]byte(m.log))) {
			t.Fatalf("at the end stored is %d of %d, lines %d", m.stream.Stored, len(m.log), m.stream.Lines)
		}
	}
	var want []string
	if m.log != "" {
		want = strings.Split(m.log, "\n")
	}
	slices.Sort(want)
	m.to.holds(t, "at the end", want)
	if left := m.fs.Names(); !slices.Equal(left, []string{"/data/checkpoint"}) {
		t.Fatalf("files left: %v", left)
	}
}

// sinks are the sinks of a collector. table or columns may be nil.
type sinks struct {
	table            *collectortest.Table
	archive, columns *collectortest.Archive
}

// use sets the file system of the sinks that store files, and the function that makes them fail.
func (s sinks) use(fs vfs.FS, fail func() error) {
	for _, files := range []*collectortest.Archive{s.archive, s.columns} {
		if files != nil {
			files.FS, files.Fail = fs, fail
		}
	}
}

// holds fails unless each sink contains exactly these lines.
func (s sinks) holds(t testing.TB, what string, want []string) {
	t.Helper()
	check := func(name string, got []string) {
		if !slices.Equal(got, want) {
			t.Fatalf("%s: the %s holds %d lines, want %d", what, name, len(got), len(want))
		}
	}
	check("archive", s.archive.Lines(t))
	if s.table != nil {
		check("table", s.table.Lines())
	}
	if s.columns != nil {
		check("columnar table", s.columns.ColumnLines(t))
	}
}

// crashMachine returns the operations; started is the last machine that was started.
func crashMachine(started **machine) *replay.Machine[*machine] {
	return &replay.Machine[*machine]{
		Start: func(t testing.TB) *machine { *started = newMachine(t); return *started },
		Ops: map[string]func(testing.TB, *machine, replay.Args){
			"store WORD...": func(_ testing.TB, m *machine, a replay.Args) { // rows, columns
				if slices.Contains(a, "rows") {
					m.to.table = collectortest.NewTable()
				}
				if slices.Contains(a, "columns") {
					m.to.columns = collectortest.NewArchive(nil)
				}
				m.use()
			},
			"log N":       func(_ testing.TB, m *machine, a replay.Args) { m.log = collectortest.Log(a.Int(0)) },
			"fail-from N": func(_ testing.TB, m *machine, a replay.Args) { m.failFrom(a.Int(0)) },
			"start":       func(t testing.TB, m *machine, _ replay.Args) { m.start(t) },
			"append N":    func(t testing.TB, m *machine, a replay.Args) { m.append(t, a.Int(0)) },
			"close":       func(t testing.TB, m *machine, _ replay.Args) { m.close(t) },
			"crash N":     func(t testing.TB, m *machine, a replay.Args) { m.crash(t, a.Int(0)) },
		},
		End:      func(t testing.TB, m *machine) { m.check(t) },
		Fixed:    2,
		Attempts: 300,
	}
}

// TestEveryLineIsStoredOnceWhereverPowerFails simulates a power failure at every operation on the
// disk and in the archive, after which another collector continues.
func TestEveryLineIsStoredOnceWhereverPowerFails(t *testing.T) {
	for _, c := range []struct {
		sinks string
		seeds uint64
	}{{"rows", 1}, {"columns", 1}, {"rows columns", 2}} {
		t.Run(c.sinks, func(t *testing.T) {
			t.Parallel()
			stride := 1
			if testing.Short() {
				c.seeds = 1
			}
			if raceDetector { // all operations are tested without it: make plain
				c.seeds, stride = 1, 7
			}
			var m *machine
			crashMachine(&m).Each(t, *replayFile, func(yield func(replay.Script) bool) {
				for seed := range c.seeds {
					for n, more := 0, true; more; n += stride {
						if !yield(powerFailsAt(c.sinks, seed, n)) {
							return
						}
						more = m.failed
					}
				}
			})
		})
	}
}

// powerFailsAt returns a script in which a collector reads a log of 120 lines and power fails at
// operation n.
func powerFailsAt(sinks string, seed uint64, n int) replay.Script {
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	s := replay.Script{replay.NewOp("store", sinks), replay.NewOp("log", 120), replay.NewOp("fail-from", n), replay.NewOp("start")}
	for bytes := 0; bytes < len(collectortest.Log(120)); {
		size := 1 + random.IntN(900)
		s = append(s, replay.NewOp("append", size))
		bytes += size
	}
	return append(s, replay.NewOp("close"), replay.NewOp("crash", random.IntN(1000)))
}
