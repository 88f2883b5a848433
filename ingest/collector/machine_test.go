package collector

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/archive"
	"sluice/ingest/checkpoint"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/logfile"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/segment/vfs/crashfs"
	"sluice/schema"
	"sluice/test/replay"
)

// machine is a collector of some logs, with the disk and the sinks that it uses. Disk and archives
// fail from one operation on. The collector is aborted then, and the next one reads the logs.
type machine struct {
	fs     *crashfs.FS
	to     sinks
	naming Naming
	logs   []*machineLog

	collector *Collector // nil: not running

	mu     sync.Mutex
	left   int // operations that do not fail; negative: no limit
	failed bool
}

// machineLog is a log of a machine.
type machineLog struct {
	text    string
	labels  map[string]string
	tracked *checkpoint.Stream
	read    int // position of the next batch
}

func newMachine(testing.TB) *machine {
	m := &machine{fs: crashfs.New(), left: -1, naming: collectortest.Days{}}
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
	file, err := checkpoint.Open(m.fs, "/data/checkpoint", "c1")
	if err != nil {
		return err
	}
	for i, l := range m.logs {
		seen := checkpoint.Log{Path: "access.log", ID: logfile.ID{Device: 1, Inode: uint64(2 + i)}, Start: []byte(l.text), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(l.text)), nil }}
		origin := schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: "access.log", Format: "common"}, Labels: l.labels}
		if l.tracked, err = file.Logs.Identify(origin, seen); err != nil {
			return err
		}
	}
	if err := file.Save(); err != nil {
		return err
	}
	cfg := Config{
		FS: m.fs, SpoolDir: "/data/spool", Checkpoint: file, Archive: m.to.archive, Naming: m.naming,
		RollBytes: 900, Level: 1, Log: slog.New(slog.DiscardHandler), rowGroupRows: 20,
	}
	if m.to.table != nil {
		cfg.Table = m.to.table
	}
	if m.to.columns != nil {
		cfg.Columns, cfg.ColumnNaming = m.to.columns, collectortest.Days{}
	}
	if m.labelled() {
		cfg.RollBytes, cfg.KeepLocal = 1500, time.Hour
	}
	if m.collector, err = New(context.Background(), cfg); err != nil {
		m.collector = nil
		return err
	}
	for _, l := range m.logs {
		l.read = int(file.Stored(l.tracked))
		if m.labelled() { // only the segments on the disk have the lines up to there, and their labels
			l.read = int(m.collector.Received(l.tracked))
		}
	}
	return nil
}

// append passes the next bytes of a log to the collector, at least that many, to the end of a line.
func (m *machine) append(t testing.TB, l *machineLog, bytes int) {
	if m.collector == nil || l.read >= len(l.text) {
		return
	}
	end := min(len(l.text), l.read+bytes)
	if i := strings.IndexByte(l.text[end:], '\n'); i >= 0 {
		end += i + 1
	} else {
		end = len(l.text)
	}
	data := []byte(l.text[l.read:end])
	err := m.collector.Append(context.Background(), l.tracked, schema.Batch{
		Stream: &l.tracked.Stream, Range: schema.Range{Start: int64(l.read), End: int64(end)}, Data: data, Lines: logfile.CountLines(data),
	})
	l.read = end
	m.stop(t, err)
}

// sync waits until all that was appended of a log is on the disk.
func (m *machine) sync(t testing.TB, l *machineLog) {
	if m.collector != nil && l.read > 0 {
		m.stop(t, m.collector.Sync(context.Background(), l.tracked, schema.Range{End: int64(l.read)}))
	}
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

// check reads the rest of the logs without faults, twice: the second collector must find nothing to
// do. Every line must be in each sink once.
func (m *machine) check(t testing.TB) {
	m.failFrom(-1)
	m.abort(t)
	for life := range 2 {
		if err := m.open(); err != nil {
			t.Fatalf("the start after the fault: %v", err)
		}
		for _, l := range m.logs {
			for l.read < len(l.text) && m.collector != nil {
				m.append(t, l, 500)
			}
		}
		m.close(t)
		if t.Failed() {
			return
		}
		for _, l := range m.logs {
			if s := l.tracked; s.Stored != int64(len(l.text)) || s.Lines != int64(logfile.CountLines([]byte(l.text))) {
				t.Fatalf("at the end stored is %d of %d, lines %d", s.Stored, len(l.text), s.Lines)
			}
		}
		if m.labelled() && life == 0 {
			checkLabelled(t, m.logs, m.to.archive)
			// As if a repair had written the files again: kept segments must not be stored again.
			for name := range m.to.archive.Files {
				m.to.archive.Files[name] = nil
			}
		}
	}
	left := slices.DeleteFunc(m.fs.Names(), func(name string) bool { return m.labelled() && strings.HasSuffix(name, segment.StoredSuffix) })
	if !slices.Equal(left, []string{"/data/checkpoint"}) {
		t.Fatalf("files left: %v", left)
	}
	if m.labelled() {
		return
	}
	var want []string
	for _, l := range m.logs {
		if l.text != "" {
			want = append(want, strings.Split(l.text, "\n")...)
		}
	}
	slices.Sort(want)
	m.to.holds(t, "at the end", want)
}

// labelled reports whether the archive has a directory for each value of the label site.
func (m *machine) labelled() bool { _, is := m.naming.(archive.Pattern); return is }

// crashes returns the operations; started is the last machine that was started.
func crashes(started **machine) *replay.Machine[*machine] {
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
			"log N": func(_ testing.TB, m *machine, a replay.Args) {
				m.logs = append(m.logs, &machineLog{text: collectortest.Log(a.Int(0))})
			},
			"labelled N":   func(t testing.TB, m *machine, a replay.Args) { m.label(t, a.Int(0)) },
			"fail-from N":  func(_ testing.TB, m *machine, a replay.Args) { m.failFrom(a.Int(0)) },
			"start":        func(t testing.TB, m *machine, _ replay.Args) { m.start(t) },
			"append LOG N": func(t testing.TB, m *machine, a replay.Args) { m.append(t, m.log(t, a[0]), a.Int(1)) },
			"sync LOG":     func(t testing.TB, m *machine, a replay.Args) { m.sync(t, m.log(t, a[0])) },
			"close":        func(t testing.TB, m *machine, _ replay.Args) { m.close(t) },
			"crash N":      func(t testing.TB, m *machine, a replay.Args) { m.crash(t, a.Int(0)) },
		},
		End:      func(t testing.TB, m *machine) { m.check(t) },
		Fixed:    2,
		Attempts: 300,
	}
}

// log returns the log with that number, from 0 on.
func (m *machine) log(t testing.TB, number string) *machineLog {
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(m.logs) {
		t.Fatalf("no log has the number %s", number)
	}
	return m.logs[i]
}
