package scale

import (
	"flag"
	"math"
	"strings"
	"testing"
	"time"
)

var (
	hosts      = flag.Int("hosts", 0, "hosts to simulate; 0: a small world")
	collectors = flag.Int("collectors", 50, "collectors to simulate")
	roll       = flag.Duration("roll-interval", 2*time.Hour, "age at which a segment is sealed")
	seed       = flag.Uint64("seed", 1, "what is drawn by chance")
	returns    = flag.String("return", returnSealed, "when a host returns to a preferred collector: at once, stored, sealed (as the agent) or never")
	spread     = flag.Float64("spread", 1, "how much hosts differ: the standard deviation of the logarithm of their rates")
)

// everyFault is a day with all that a plan can have, at the busiest times.
const everyFault = `
09:00 kill 2 for 20m
10:30 lose 1
11:30 add 2 over 10m
13:00 split 50% for 1h
16:00 hbase 10% for 1h
20:30 kill 1 for 2h
`

func TestEveryByteIsStoredWhateverFails(t *testing.T) {
	cfg := defaults(200, 8)
	if *hosts > 0 {
		cfg = defaults(*hosts, *collectors)
	}
	cfg.Plan, cfg.Seed, cfg.RollInterval, cfg.Spread, cfg.Return = everyFault, *seed, *roll, *spread, *returns
	w, err := newWorld(cfg, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", w.out.report(cfg))
	if w.out.failovers == 0 || w.out.again == 0 {
		t.Errorf("%d failovers, %d bytes sent again: the plan's faults did not happen", w.out.failovers, w.out.again)
	}
	for _, o := range w.out.open {
		t.Errorf("%s: not recovered at the end", o.text)
	}
}

func TestTheDailyRhythmHasTheMeanOne(t *testing.T) {
	sum, most := 0.0, 0.0
	for m := range 24 * 60 {
		x := rhythm(time.Duration(m) * time.Minute)
		sum += x
		most = max(most, x)
	}
	if mean := sum / 24 / 60; math.Abs(mean-1) > 0.01 || most > peakFactor || most < peakFactor*0.95 {
		t.Errorf("mean %.3f, highest %.3f; want 1 and %v", mean, most, peakFactor)
	}
}

func TestAnInvalidPlanIsRejected(t *testing.T) {
	for _, plan := range []string{"9 kill 1 for 1h", "09:00 kill", "09:00 kill many for 1h", "09:00 kill 1 for long", "09:00 burn 1 for 1h", "09:00 split x% for 1h"} {
		if _, err := parsePlan(plan); err == nil || !strings.Contains(err.Error(), "plan, line 1") {
			t.Errorf("%q: %v", plan, err)
		}
	}
}

func TestEventsHappenInOrder(t *testing.T) {
	var q queue
	for i := range 1000 {
		q.add(event{at: time.Duration(i * 7919 % 100), host: int32(i)})
	}
	var last event
	for i := range 1000 {
		e := q.next()
		if e.at < last.at || e.at == last.at && e.seq < last.seq {
			t.Fatalf("event %d: %v after %v", i, e, last)
		}
		last = e
	}
}
