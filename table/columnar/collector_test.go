package columnar_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/archive"
	"sluice/archive/localdir"
	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
	"sluice/table/columnar"
	"sluice/test/replay"
)

// TestAScanBesideARunningCollectorSeesEveryLineOnce scans a table thousands of times while a
// collector.Collector seals, archives, stores, is aborted and restarted, and while the table is
// compacted.
func TestAScanBesideARunningCollectorSeesEveryLineOnce(t *testing.T) {
	steps, perStep, few := besideSteps()
	var r *running
	m := replay.Machine[*running]{
		Start: func(t testing.TB) *running { r = newRunning(t, perStep); return r },
		Ops: map[string]func(testing.TB, *running, replay.Args){
			"write LOG N": func(t testing.TB, r *running, a replay.Args) {
				r.do(t, func() error { return r.write(number(t, a[0])%len(r.logs), a.Int(1)) })
			},
			"roll": func(t testing.TB, r *running, _ replay.Args) { r.do(t, r.roll) },
			"scan-during-roll N": func(t testing.TB, r *running, a replay.Args) {
				r.do(t, func() error {
					return r.lookDuring(r.store, columnar.TableOptions{Spool: filepath.Join(r.dir, "spool")}, a.Int(0), r.rollAndStore)
				})
			},
			"ahead": func(t testing.TB, r *running, _ replay.Args) {
				r.do(t, func() error { return r.ahead.Step(context.Background()) })
			},
			"compact": func(t testing.TB, r *running, _ replay.Args) { r.do(t, r.compact) },
			"restart": func(t testing.TB, r *running, _ replay.Args) { r.do(t, r.restart) },
		},
		Random: func(random *rand.Rand) replay.Script { return randomCollecting(random, steps) },
		End:    func(t testing.TB, r *running) { r.check(t) }, Attempts: 100,
	}
	m.Test(t, *replayFile, 1)
	t.Logf("%d scans; %d batches, %d starts, %d segments, %d files merged", r.scans.done.Load(), r.batches, r.starts, r.segments, r.merged)
	if *replayFile == "" && !few && !t.Failed() && (r.starts < 3 || r.segments < 30 || r.merged < 3) {
		t.Errorf("%d starts, %d segments, %d files merged: too few", r.starts, r.segments, r.merged)
	}
}

// randomCollecting returns random steps of a collector.
func randomCollecting(random *rand.Rand, n int) (s replay.Script) {
	for range n {
		switch n := random.IntN(100); {
		case n < 75:
			s = append(s, replay.NewOp("write", random.IntN(3), 1+random.IntN(4)))
		case n < 82:
			s = append(s, replay.NewOp("roll"))
		case n < 85:
			s = append(s, replay.NewOp("scan-during-roll", 1+random.IntN(2)))
		case n < 88:
			s = append(s, replay.NewOp("ahead"))
		case n < 97:
			s = append(s, replay.NewOp("compact"))
		default:
			s = append(s, replay.NewOp("restart"))
		}
	}
	for listing := range 2 { // at each of the two listings of a scan, in any script
		s = append(s, replay.NewOp("write", 0, 3), replay.NewOp("scan-during-roll", 1+listing))
	}
	return s
}

// running is a collector with its table and archive in local directories.
type running struct {
	*witness
	scans     *scans
	dir       string
	store     *localdir.Archive
	ahead     *columnar.Ahead
	file      *checkpoint.File
	tracked   []*checkpoint.Stream
	collector *collector.Collector
	clock     time.Time

	batches, starts, merged int
	segments                int64 // of collectors that ended
}

func newRunning(t testing.TB, perStep int) *running {
	r := &running{dir: t.TempDir(), clock: time.Now()}
	var err error
	if r.store, err = localdir.Open(filepath.Join(r.dir, "table"), "c1"); err != nil {
		t.Fatal(err)
	}
	spool := filepath.Join(r.dir, "spool")
	r.ahead = columnar.NewAhead(spool, 1000)
	r.witness = newWitness(columnar.OpenTable(r.store, columnar.TableOptions{Spool: spool}),
		newTestLog(t, "web01", 1, "combined"), newTestLog(t, "web01", 2, "common"), newTestLog(t, "web02", 3, "combined"))
	if err = r.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.collector != nil { // the script failed
			_ = r.collector.Abort()
		}
	})
	r.scans = r.beside(t, perStep)
	return r
}

// start starts a collector on the data of the previous one.
func (r *running) start() error {
	r.starts++
	pattern, err := archive.ParsePattern("/day=%Y%m%d/host=%{host}")
	if err != nil {
		return err
	}
	if r.file, err = checkpoint.Open(vfs.OS{}, filepath.Join(r.dir, "checkpoint"), "c1"); err != nil {
		return err
	}
	r.tracked = nil
	for i, l := range r.logs {
		start := "log " + l.stream.Path
		tracked, err := r.file.Logs.Identify(schema.StreamEntry{Stream: schema.Stream{Host: l.stream.Host, Path: l.stream.Path, Format: l.stream.Format}}, checkpoint.Log{
			Path: l.stream.Path, ID: logfile.ID{Device: 1, Inode: uint64(i + 1)}, Start: []byte(start),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(start)), nil },
		})
		if err != nil {
			return err
		}
		if r.starts == 1 {
			l.stream = tracked.Stream
		} else if l.stream != tracked.Stream {
			return fmt.Errorf("%s is another stream: %v, was %v", l.stream.Path, tracked.Stream, l.stream)
		}
		r.tracked = append(r.tracked, tracked)
	}
	files, err := localdir.Open(filepath.Join(r.dir, "archive"), "c1")
	if err = errors.Join(err, r.file.Save()); err != nil {
		return err
	}
	r.collector, err = collector.New(context.Background(), collector.Config{
		FS: vfs.OS{}, SpoolDir: filepath.Join(r.dir, "spool"), Checkpoint: r.file, Archive: files, Naming: pattern,
		Columns: placing{r.store}, ColumnNaming: pattern, RollBytes: 1500, RollInterval: time.Minute, Level: 1, Uploads: 2,
		RetryFailures: true, Log: slog.New(slog.DiscardHandler),
	})
	return err
}

// placing is the store of a columnar table that the sluice command gives to a collector.
type placing struct{ *localdir.Archive }

func (p placing) Store(ctx context.Context, local, name string) error {
	return columnar.Place(ctx, p.Archive, local, name)
}

// do takes a step when a scan allows it.
func (r *running) do(t testing.TB, step func() error) {
	r.scans.wait(t)
	if err := step(); err != nil {
		t.Fatalf("collector: %v", err)
	}
}

// roll seals all open segments.
func (r *running) roll() error {
	r.clock = r.clock.Add(2 * time.Minute)
	return r.collector.Tick(r.clock)
}

// rollAndStore seals all open segments and waits until they are in the table, and not in the spool.
func (r *running) rollAndStore() error {
	for deadline := time.After(time.Minute); ; {
		if err := r.roll(); err != nil { // the first one only notes that a segment is open
			return err
		}
		left, err := filepath.Glob(filepath.Join(r.dir, "spool", "*", "*.gz*"))
		if err != nil || len(left) == 0 {
			return err
		}
		select {
		case <-deadline:
			return fmt.Errorf("the spool still has %v", left)
		case <-time.After(time.Millisecond):
		}
	}
}

func (r *running) compact() error {
	done, err := columnar.Compact(context.Background(), r.store, columnar.CompactOptions{TempDir: r.dir, Closed: everyDay})
	r.merged += done.Merged
	return err
}

// restart aborts the collector and starts another one on its data.
func (r *running) restart() error {
	r.segments += r.collector.Counters.Segments.Load()
	return errors.Join(r.collector.Abort(), r.start())
}

// check stops the scans, closes the collector and scans twice.
func (r *running) check(t testing.TB) {
	r.scans.stop()
	r.scans.check(t)
	r.segments += r.collector.Counters.Segments.Load()
	c := r.collector
	r.collector = nil
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context()) // no step is allowed any more
	cancel()
	for range 2 { // the second time for changes since the last scan
		if err := r.look(ended, rand.New(rand.NewPCG(11, 7))); err != nil {
			t.Error(err)
		}
	}
}

func (r *running) write(i, n int) error {
	batch, lines := r.logs[i].batch(n)
	r.writing(i, lines)
	r.batches++
	batch.Stream = &r.tracked[i].Stream
	if err := r.collector.Append(context.Background(), r.tracked[i], batch); err != nil {
		return err
	}
	r.wrote(i)
	return nil
}
