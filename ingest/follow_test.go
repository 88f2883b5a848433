package ingest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/segment/vfs"
	"sluice/ingest/tail"
)

// following is a running Follow.
type following struct {
	collector *collector.Collector
	ticks     chan time.Time
	reports   chan *tail.Tailer
	stop      context.CancelFunc
	ended     chan error
}

// follow starts Follow for the logs in the site's directory.
func (s *site) follow(t *testing.T) *following {
	t.Helper()
	discard := slog.New(slog.DiscardHandler)
	cp, err := checkpoint.Open(vfs.OS{}, filepath.Join(s.dir, "checkpoint"), "c1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := collector.New(context.Background(), collector.Config{
		FS: vfs.OS{}, SpoolDir: filepath.Join(s.dir, "spool"), Checkpoint: cp, Table: s.table,
		Archive: s.archive, Naming: collectortest.Days{}, RollBytes: 64 << 10, RollInterval: time.Hour, RollIdle: time.Minute, Level: 1, Log: discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f := &following{c, make(chan time.Time), make(chan *tail.Tailer), cancel, make(chan error, 1)}
	go func() {
		f.ended <- Follow(ctx, FollowConfig{
			Checkpoint: cp, Collector: c, Ticks: f.ticks, Report: func(t *tail.Tailer) { f.reports <- t },
			Tail: tail.Config{
				Sources: []tail.Source{{Pattern: filepath.Join(s.dir, "*.log*"), Format: "auto"}}, Host: "web01", Latency: time.Millisecond, Log: discard,
			},
		})
	}()
	select {
	case <-f.reports: // at the start, so that the previous process's report is replaced
	case err := <-f.ended:
		t.Fatalf("it ended: %v", err)
	}
	return f
}

// tick sends a tick and waits until it was handled.
func (f *following) tick(t *testing.T, now time.Time) {
	t.Helper()
	select {
	case f.ticks <- now:
		<-f.reports
	case err := <-f.ended:
		t.Fatalf("it ended: %v", err)
	}
}

// tickUntil sends ticks of the same time until that many lines were received.
func (f *following) tickUntil(t *testing.T, now time.Time, lines int64) {
	t.Helper()
	f.tickFor(t, now, func() bool { return f.collector.Counters.Lines.Load() >= lines })
}

// tickFor sends ticks of the same time until so returns true.
func (f *following) tickFor(t *testing.T, now time.Time, so func() bool) {
	t.Helper()
	for deadline := time.After(5 * time.Minute); !so(); {
		select {
		case <-deadline:
			t.Fatalf("the condition was not reached, %d lines were received", f.collector.Counters.Lines.Load())
		default:
			f.tick(t, now)
		}
	}
}

// end stops Follow and closes its collector.
func (f *following) end(t *testing.T) {
	t.Helper()
	f.stop()
	if err := <-f.ended; err != nil {
		t.Fatal(err)
	}
	if err := f.collector.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestFollowStoresWhatGrows checks that a tick flushes rows and that idle segments are archived,
// and that the next process continues where this one stopped.
func TestFollowStoresWhatGrows(t *testing.T) {
	s, log := newSite(t), collectortest.Log(50)+"\n"
	s.write(t, "access.log", log)
	f := s.follow(t)
	now := time.Unix(1_800_000_000, 0)
	f.tickUntil(t, now, 50)
	f.tickFor(t, now, func() bool { return len(s.table.Lines()) == 50 }) // flushed before any commit
	f.tick(t, now)                                                       // records the present size of the segment
	if got := len(s.archive.Lines(t)); got != 0 {
		t.Errorf("%d lines are archived at once", got)
	}
	later := now.Add(2 * time.Minute) // idle for longer than RollIdle
	f.tickFor(t, later, func() bool { return len(s.archive.Lines(t)) == 50 })
	s.holds(t, log)
	s.append(t, "access.log", "bad more\n")
	f.tickUntil(t, now.Add(2*time.Minute), 51)
	f.end(t)
	log += "bad more\n"
	s.holds(t, log)

	s.append(t, "access.log", "bad and more\n")
	f = s.follow(t)
	f.tickUntil(t, now, 1)
	f.end(t)
	s.holds(t, log+"bad and more\n")
	if got := f.collector.Counters.Lines.Load(); got != 1 {
		t.Errorf("the second process stored %d lines, want 1", got)
	}
}

// TestFollowContinuesFromItsSpool checks that lines that an aborted process had received are not
// read from the log again.
func TestFollowContinuesFromItsSpool(t *testing.T) {
	s, log := newSite(t), collectortest.Log(50)+"\n"
	s.write(t, "access.log", log)
	f := s.follow(t)
	f.tickUntil(t, time.Unix(1, 0), 50)
	f.stop()
	if err := errors.Join(<-f.ended, f.collector.Abort()); err != nil {
		t.Fatal(err)
	}
	s.append(t, "access.log", "bad more\n")
	f = s.follow(t)
	f.tickUntil(t, time.Unix(1, 0), 1)
	f.end(t)
	s.holds(t, log+"bad more\n")
	if got := f.collector.Counters.Lines.Load(); got != 1 {
		t.Errorf("the second process stored %d lines, want 1", got)
	}
}

// TestFollowEndsWhenNothingCanBeStored checks that Follow returns the archive's error, and that the
// next process stores the lines.
func TestFollowEndsWhenNothingCanBeStored(t *testing.T) {
	s, log := newSite(t), collectortest.Log(20_000)+"\n"
	full := errors.New("no space left on device")
	s.archive.Fail = func() error { return full }
	s.write(t, "access.log", log)
	f := s.follow(t)
	if err := <-f.ended; !errors.Is(err, full) || !strings.Contains(err.Error(), "archive: store 20150517/web01/access.c1-000001.log.gz") {
		t.Errorf("it ended with %v", err)
	}
	f.stop()
	if err := f.collector.Abort(); err != nil {
		t.Fatal(err)
	}
	s.archive.Fail = func() error { return nil }
	f = s.follow(t)
	f.stop()
	if err := <-f.ended; err != nil {
		t.Fatal(err)
	}
	if err := f.collector.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.once(t, t.Context(), "access.log")
	if err != nil {
		t.Fatal(err)
	}
	s.holds(t, log)
}

func (s *site) append(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestACopyOfALogWhoseEndWasNotSavedIsNotStoredTwice aborts a process whose spool has more than its
// checkpoint. The log is copied and truncated before the next process starts.
func TestACopyOfALogWhoseEndWasNotSavedIsNotStoredTwice(t *testing.T) {
	s, log := newSite(t), collectortest.Log(50)+"\n"
	s.write(t, "access.log", log)
	f := s.follow(t)
	f.tickUntil(t, time.Unix(1_800_000_000, 0), 50)
	f.stop()
	if err := <-f.ended; err != nil {
		t.Fatal(err)
	}
	if err := f.collector.Abort(); err != nil {
		t.Fatal(err)
	}
	s.write(t, "access.log.1", log+"bad unread\n")
	if err := os.Truncate(filepath.Join(s.dir, "access.log"), 0); err != nil {
		t.Fatal(err)
	}
	s.append(t, "access.log", "bad new\n")
	f = s.follow(t)
	f.tickUntil(t, time.Unix(1_800_000_000, 0), 2)
	f.end(t)
	s.holds(t, log+"bad new\nbad unread\n")
}
