package ingest

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
)

// closer is a site whose collector marks days, by a clock that stands.
func (s *site) closer(t *testing.T, now time.Time) *Collector {
	t.Helper()
	file, err := checkpoint.Open(vfs.OS{}, filepath.Join(s.dir, "checkpoint"), "c1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCollector(context.Background(), CollectorConfig{
		FS: vfs.OS{}, SpoolDir: filepath.Join(s.dir, "spool"), Checkpoint: file, Table: s.table, Archive: s.archive, Naming: days{},
		RollBytes: 64 << 10, Level: 1, Log: slog.New(slog.DiscardHandler), MarkClosed: true, ClosedGrace: time.Hour, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read gives the collector what is new in the site's log.
func (s *site) read(t *testing.T, c *Collector) {
	t.Helper()
	l, err := logfile.Look(filepath.Join(s.dir, "access.log"))
	if err == nil {
		_, err = Once(t.Context(), OnceConfig{Checkpoint: c.cfg.Checkpoint, Collector: c, Host: "web01", Format: "auto", Log: c.cfg.Log}, []logfile.Log{l})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestClosedDaysAreMarked(t *testing.T) {
	s := newSite(t)
	s.write(t, "access.log", crashLog(100)) // of 17 and 18 May, two hours east of UTC
	at := func(day, hour, minute int) time.Time { return time.Date(2015, 5, day, hour-2, minute, 0, 0, time.UTC) }
	for _, life := range []struct {
		now  time.Time
		want string // marked so far
	}{
		{at(18, 0, 59), ""},
		{at(18, 1, 0), "20150517/web01"},
		{at(18, 12, 0), "20150517/web01"},
		{at(19, 12, 0), "20150517/web01 20150518/web01"},
		{at(20, 12, 0), "20150517/web01 20150518/web01"},
	} {
		c := s.closer(t, life.now)
		s.read(t, c)
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.archive.marked, " "); got != life.want {
			t.Errorf("%v: marked are %q, want %q", life.now, got, life.want)
		}
	}
}

func TestADayIsNotClosedBeforeItsLinesAreArchived(t *testing.T) {
	s := newSite(t)
	s.write(t, "access.log", crashLog(100))
	year := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
	c := s.closer(t, year)
	s.read(t, c) // into segments that stay open
	c.cfg.Checkpoint.AddUnmarked(checkpoint.Directory{Dir: "20150517/web01", Start: year.AddDate(-1, 0, 0)})
	if closed, err := c.closed(year); err != nil || len(closed) != 0 {
		t.Errorf("closed are %q, %v, while a segment is open", closed, err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(s.archive.marked); got != 2 {
		t.Errorf("marked are %q, want both days", s.archive.marked)
	}
}

func TestAMarkThatFailsIsMadeInTheNextLife(t *testing.T) {
	s := newSite(t)
	s.write(t, "access.log", crashLog(100))
	year := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
	c := s.closer(t, year.AddDate(-1, 0, 0))
	s.read(t, c)
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	away := errors.New("the archive is away")
	s.archive.fail = func() error { return away }
	if err := s.closer(t, year).Close(t.Context()); !errors.Is(err, away) {
		t.Errorf("%v, want %v", err, away)
	}
	s.archive.fail = func() error { return nil }
	if err := s.closer(t, year).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(s.archive.marked); got != 2 {
		t.Errorf("marked are %q, want both days", s.archive.marked)
	}
}
