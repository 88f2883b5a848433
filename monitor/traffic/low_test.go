package traffic

import "testing"

// TestADayThatWasLowIsNotExpectedLater: a host is found again on a weekday on which it was low in
// the two weeks before.
func TestADayThatWasLowIsNotExpectedLater(t *testing.T) {
	w := newWatch()
	const usual, few, half = 1000, 10, 400
	lowAt := func(slot int64) bool { return slot%week >= 2*day && slot%week < 3*day }
	for slot := int64(4 * week); slot < 8*week+3*day; slot++ {
		lines := map[string]float32{"b": usual, "c": usual, "d": usual, "e": usual, "a": usual}
		switch {
		case lowAt(slot) && slot >= 8*week:
			lines["a"] = half
		case lowAt(slot) && slot >= 6*week:
			lines["a"] = few
		}
		w.Observe(slot, lines)
		if _, low := w.low()["a"]; low != (lines["a"] < usual) && slot%day > 40 {
			t.Fatalf("week %d, day %d, %s: low %v with %v lines", slot/week-4, slot%week/day, clock(slot), low, lines["a"])
		}
	}
}

// TestATimeWithoutObservationIsNotATimeWithoutLines: a host that was not observed for an hour is not low
// when it is back.
func TestATimeWithoutObservationIsNotATimeWithoutLines(t *testing.T) {
	w := newWatch()
	const away = 4*week + 40
	for slot := int64(0); slot < away+day; slot++ {
		lines := map[string]float32{"b": 1000, "c": 1000, "d": 1000, "e": 1000, "a": 1000}
		if slot >= away && slot < away+4 {
			delete(lines, "a")
		}
		w.Observe(slot, lines)
		if f, low := w.low()["a"]; low {
			t.Fatalf("%s after it was not observed: %s", clock(slot), f.String())
		}
	}
}

// TestALossWithinTheLimitsDoesNotChangeTheLevelAtOnce: a host lost a third of its lines, which is within the
// limits; when it has lost half of them some hours later, it is found. A loss of a third that lasts
// for more than a day is its new level.
func TestALossWithinTheLimitsDoesNotChangeTheLevelAtOnce(t *testing.T) {
	for _, c := range []struct {
		hours int64
		found bool
	}{{18, true}, {36, false}} {
		w := newWatch()
		low := false
		const began = 4 * week
		for slot := int64(0); slot < began+4*c.hours+8; slot++ {
			lines := map[string]float32{"b": 1000, "c": 1000, "d": 1000, "e": 1000, "a": 1000}
			if slot >= began {
				lines["a"] = 670
			}
			if slot >= began+4*c.hours {
				lines["a"] = 500
			}
			w.Observe(slot, lines)
			if _, low = w.low()["a"]; low && slot < began+4*c.hours {
				t.Fatalf("low at %s", clock(slot))
			}
		}
		if low != c.found {
			t.Errorf("after %d hours: low %v", c.hours, low)
		}
	}
}
