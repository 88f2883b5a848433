package receiver

import (
	"math"
	"testing"
	"time"
)

// A delayed heartbeat does not make a clock look slow, and a wrong clock is known from the second
// heartbeat on.
func TestADelayedHeartbeatMakesNoClockSlow(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var c clockSamples
	at := func(d time.Duration) (time.Duration, bool) {
		now = now.Add(3 * time.Second)
		return c.add(now.Add(d).UnixMilli(), now)
	}
	if _, known := at(5 * time.Hour); known {
		t.Error("the offset is known after one heartbeat")
	}
	if d, known := at(5 * time.Hour); !known || d != 5*time.Hour {
		t.Errorf("%s, %v", d, known)
	}
	for range clockSampleCount {
		at(-time.Second)
	}
	for range clockSampleCount - 1 { // delayed by a busy collector
		if d, _ := at(-time.Minute); d != -time.Second {
			t.Errorf("%s", d)
		}
	}
	if d, _ := at(-time.Minute); d != -time.Minute {
		t.Errorf("%s", d)
	}
	for _, ms := range []int64{math.MinInt64, math.MaxInt64} {
		if d, _ := c.add(ms, now); d.Abs() > maxClockOffset {
			t.Errorf("%d: %s", ms, d)
		}
	}
}
