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
)

// TestAScanBesideARunningCollectorSeesEveryLineOnce scans a table thousands of times while a
// collector.Collector seals, archives, stores, is aborted and restarted, and while the table is
// compacted.
func TestAScanBesideARunningCollectorSeesEveryLineOnce(t *testing.T) {
	scans := int64(2000)
	few := testing.Short() || raceDetector
	if few {
		scans = 100
	}
	r := newRunning(t)
	r.beside(t, scans, r.step)
	segments := r.collector.Counters.Segments.Load() + r.segments
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context()) // for a step after the test has ended
	cancel()
	for range 2 { // the second time for changes since the last scan
		if err := r.look(ended, r.rng); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d scans; %d batches, %d starts, %d segments, %d files merged", scans, r.batches, r.starts, segments, r.merged)
	if !few && (r.starts < 3 || segments < 30 || r.merged < 3) {
		t.Errorf("%d starts, %d segments, %d files merged: too few", r.starts, segments, r.merged)
	}
}

// running is a collector with its table and archive in local directories.
type running struct {
	*witness
	dir       string
	rng       *rand.Rand
	store     *localdir.Archive
	ahead     *columnar.Ahead
	file      *checkpoint.File
	tracked   []*checkpoint.Stream
	collector *collector.Collector
	clock     time.Time

	batches, starts, merged int
	segments                int64 // counters of aborted collectors
}

func newRunning(t *testing.T) *running {
	r := &running{dir: t.TempDir(), rng: rand.New(rand.NewPCG(11, 7)), clock: time.Now()}
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
		tracked, err := r.file.Identify(schema.StreamEntry{Stream: schema.Stream{Host: l.stream.Host, Path: l.stream.Path, Format: l.stream.Format}}, checkpoint.Log{
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
		Patient: true, Log: slog.New(slog.DiscardHandler),
	})
	return err
}

// placing is the store of a columnar table that the sluice command gives to a collector.
type placing struct{ *localdir.Archive }

func (p placing) Store(ctx context.Context, local, name string) error {
	return columnar.Place(ctx, p.Archive, local, name)
}

// step takes one random step: a batch, or an event such as an abort.
func (r *running) step() error {
	ctx := context.Background()
	switch n := r.rng.IntN(100); {
	case n < 75:
		return r.write(r.rng.IntN(len(r.logs)))
	case n < 85: // seal all open segments
		r.clock = r.clock.Add(2 * time.Minute)
		return r.collector.Tick(r.clock)
	case n < 88:
		return r.ahead.Step(ctx)
	case n < 97:
		done, err := columnar.Compact(ctx, r.store, columnar.CompactOptions{TempDir: r.dir, Closed: everyDay})
		r.merged += done.Merged
		return err
	default:
		r.segments += r.collector.Counters.Segments.Load()
		return errors.Join(r.collector.Abort(), r.start())
	}
}

func (r *running) write(i int) error {
	batch, lines := r.logs[i].batch(1 + r.rng.IntN(4))
	r.writing(i, lines)
	r.batches++
	batch.Stream = &r.tracked[i].Stream
	if err := r.collector.Append(context.Background(), r.tracked[i], batch); err != nil {
		return err
	}
	r.wrote(i)
	return nil
}
