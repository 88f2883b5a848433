package collector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/ingest/collector/collectortest"
	"sluice/schema"
)

// dated returns n lines, the first of day number day, the others step days apart.
func dated(day, n, step int) string {
	var b strings.Builder
	for i := range n {
		at := time.Date(2000, 1, 1+day+i*step, 12, 0, 0, 0, time.UTC)
		fmt.Fprintf(&b, "192.0.2.1 - - [%s] \"GET / HTTP/1.1\" 200 5\n", at.Format("02/Jan/2006:15:04:05 -0700"))
	}
	return b.String()
}

// dateRig returns a rig whose clock stands still and whose limit of open segments is open.
func dateRig(t *testing.T, open int) *rig {
	return newRig(t, func(c *Config) {
		c.HostShare, c.SpoolAhead, c.RollBytes, c.OpenSegments = 3, true, 1<<30, open
		c.Now = func() time.Time { return time.Unix(1_000_000, 0) }
	})
}

// TestAHostMayNotBeginAFileForEachLine checks that a host with too many days waits, that the
// accepted lines are kept and the others accepted an hour later, and that another host does not
// wait.
func TestAHostMayNotBeginAFileForEachLine(t *testing.T) {
	r := dateRig(t, 0)
	log := dated(0, maxHourDates+100, 1)
	s := r.stream(t, "evil", log, 2)
	err := r.collector.Append(t.Context(), s, batch(s, log, 0, len(log)))
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "host evil") {
		t.Fatalf("too many days: %v", err)
	}
	if why := r.collector.State().Shares["evil"].Dates; !strings.Contains(why, "too many days") {
		t.Errorf("the host is not named: %q", why)
	}
	honest := dated(9000, 10, 1)
	h := r.stream(t, "web01", honest, 3)
	if err := r.collector.Append(t.Context(), h, batch(h, honest, 0, len(honest))); err != nil {
		t.Errorf("another host: %v", err)
	}
	if n := r.collector.Counters.Lines.Load(); n != maxHourDates+10 {
		t.Errorf("%d lines were taken", n)
	}
	sp := r.collector.spool
	sp.mu.Lock()
	sp.dates.begun["evil"].since = sp.dates.begun["evil"].since.Add(-time.Hour)
	sp.mu.Unlock()
	if err := r.collector.Append(t.Context(), s, batch(s, log, 0, len(log))); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "each line once", log, honest)
}

// TestABackfillOfTwoYearsOfDailyLogsDoesNotWait checks ten logs with a line per day, one log after
// the other.
func TestABackfillOfTwoYearsOfDailyLogsDoesNotWait(t *testing.T) {
	r := dateRig(t, 0)
	defer r.collector.Abort() //nolint:errcheck // what is stored is another test's
	for n := range 10 {
		log := dated(0, 730, 1)
		s := r.stream(t, "web01", log, uint64(10+n))
		if err := r.collector.Append(t.Context(), s, batch(s, log, 0, len(log))); err != nil {
			t.Fatalf("log %d: %v", n, err)
		}
	}
}

// TestAHostWithManyDaysRollsItsOwnSegments checks that such a host does not make other hosts'
// segments roll.
func TestAHostWithManyDaysRollsItsOwnSegments(t *testing.T) {
	for _, total := range []int{0, 20} {
		r := dateRig(t, total)
		put := func(host, log string, inode uint64) {
			s := r.stream(t, host, log, inode)
			if err := r.collector.Append(t.Context(), s, batch(s, log, 0, len(log))); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 {
			put(fmt.Sprint("web0", i), dated(i, 1, 1), uint64(2+i))
		}
		put("evil", dated(0, 300, 1), 20)
		c := r.collector
		c.spool.mu.Lock()
		for i := range 5 {
			if n := c.spool.opened[fmt.Sprint("web0", i)]; n != 1 {
				t.Errorf("web0%d has %d segments open", i, n)
			}
		}
		if n := c.spool.opened["evil"]; n > maxHostOpen || total > 0 && len(c.spool.open) > total {
			t.Errorf("evil has %d segments open, all %d", n, len(c.spool.open))
		}
		c.spool.mu.Unlock()
		if err := c.Abort(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheBacklogGivesEachHostTheSameTime checks a host whose spooled batches take a hundred times
// as long as another's.
func TestTheBacklogGivesEachHostTheSameTime(t *testing.T) {
	r := newRig(t, nil)
	defer r.collector.Abort() //nolint:errcheck // nothing was sent
	b := newBacklog()
	slow := &streamState{tracked: r.stream(t, "evil", "a\n", 2)}
	fast := &streamState{tracked: r.stream(t, "web01", "b\n", 3)}
	at := time.Unix(0, 0)
	for range 20 {
		b.add(&spooledBatch{stream: slow, at: at})
	}
	for i := range 1000 {
		b.add(&spooledBatch{stream: fast, at: at.Add(1), Range: schema.Range{Start: int64(i)}})
	}
	turns, next := map[string]int{}, int64(0)
	for range 500 {
		p := b.next()
		turns[p.stream.tracked.Host]++
		if p.stream == slow {
			b.spend("evil", time.Second)
			continue
		}
		if p.Start != next {
			t.Fatalf("piece %d comes before %d", p.Start, next)
		}
		next++
		b.spend("web01", 10*time.Millisecond)
	}
	if turns["evil"] > 6 || turns["evil"] < 4 {
		t.Errorf("%v pieces in the same time", turns)
	}
	for b.next() != nil {
	}
	if len(b.hosts) != 0 {
		t.Errorf("%d hosts are kept", len(b.hosts))
	}
}

// TestParsingEndsWithItsContext checks that nothing of a batch is accepted if its context is
// canceled, and that a deadline, which limits waiting only, does not stop parsing.
func TestParsingEndsWithItsContext(t *testing.T) {
	r := newRig(t, nil)
	log := numbered(10 * checkEvery / len("bad 00000\n"))
	s := r.stream(t, "web01", log, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.collector.Append(ctx, s, batch(s, log, 0, len(log))); !errors.Is(err, context.Canceled) || r.collector.Counters.Lines.Load() != 0 {
		t.Errorf("%d lines were taken: %v", r.collector.Counters.Lines.Load(), err)
	}
	st := r.collector.streams.of(s)
	if _, _, err := r.collector.cfg.prepare(st, &st.reader); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if err := (&parsedBatch{lines: []byte(log)}).read(ctx, &st.reader, collectortest.Days{}, 0); err != nil {
		t.Errorf("a deadline ended parsing: %v", err)
	}
	if err := r.collector.Append(t.Context(), s, batch(s, log, 0, len(log))); err != nil {
		t.Error(err)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "once", log)
}
