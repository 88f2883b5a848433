package collector

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector/collectortest"
)

// closer returns a rig whose collector marks directories, with a clock that stands still at now.
// restartAt restarts it with another time.
func closer(t *testing.T, now time.Time) (r *rig, restartAt func(time.Time)) {
	r = newRig(t, func(c *Config) {
		c.Columns, c.ColumnNaming, c.RollBytes, c.RetryFailures = nil, nil, 64<<10, false
		c.MarkClosed, c.ClosedGrace, c.Now = true, time.Hour, func() time.Time { return now }
	})
	return r, func(at time.Time) {
		r.cfg.Now = func() time.Time { return at }
		r.restart(t)
	}
}

// fill sends a log of 17 and 18 May, two hours east of UTC.
func (r *rig) fill(t *testing.T) {
	t.Helper()
	log := collectortest.Log(100)
	if err := r.send(t.Context(), r.stream(t, "web01", log, 2), log, rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
}

func TestClosedDaysAreMarked(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2015, 5, day, hour-2, minute, 0, 0, time.UTC) }
	r, restartAt := closer(t, at(18, 0, 59))
	for i, process := range []struct {
		now  time.Time
		want string // directories that are marked by then
	}{
		{at(18, 0, 59), ""},
		{at(18, 1, 0), "20150517/web01"},
		{at(18, 12, 0), "20150517/web01"},
		{at(19, 12, 0), "20150517/web01 20150518/web01"},
		{at(20, 12, 0), "20150517/web01 20150518/web01"},
	} {
		if i > 0 {
			restartAt(process.now)
		}
		r.fill(t)
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.archive.Marked, " "); got != process.want {
			t.Errorf("%v: marked are %q, want %q", process.now, got, process.want)
		}
	}
}

func TestADayIsNotClosedBeforeItsLinesAreArchived(t *testing.T) {
	year := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
	r, _ := closer(t, year)
	r.fill(t) // into segments that stay open
	r.cp.Unmarked.Add(checkpoint.Directory{Dir: "20150517/web01", Start: year.AddDate(-1, 0, 0)})
	if closed, err := r.collector.marker.closed(year); err != nil || len(closed) != 0 {
		t.Errorf("closed are %q, %v, while a segment is open", closed, err)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(r.archive.Marked); got != 2 {
		t.Errorf("marked are %q, want both days", r.archive.Marked)
	}
}

func TestAMarkThatFailsIsMadeByTheNextProcess(t *testing.T) {
	year := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
	r, restartAt := closer(t, year.AddDate(-1, 0, 0))
	r.fill(t)
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	away := errors.New("the archive is away")
	r.archive.Fail = func() error { return away }
	restartAt(year)
	if err := r.collector.Close(t.Context()); !errors.Is(err, away) {
		t.Errorf("%v, want %v", err, away)
	}
	r.archive.Fail = func() error { return nil }
	restartAt(year)
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(r.archive.Marked); got != 2 {
		t.Errorf("marked are %q, want both days", r.archive.Marked)
	}
}
