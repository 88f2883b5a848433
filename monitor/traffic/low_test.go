package traffic

import "testing"

// TestADayThatWasLowIsNotExpectedLater: a host is found again on a weekday on which it was low in
// the two weeks before.
func TestADayThatWasLowIsNotExpectedLater(t *testing.T) {
	w := New()
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
		if _, low := w.Low()["a"]; low != (lines["a"] < usual) && slot%day > 40 {
			t.Fatalf("week %d, day %d, %s: low %v with %v lines", slot/week-4, slot%week/day, clock(slot), low, lines["a"])
		}
	}
}

// TestATimeWithoutObservationIsNotATimeWithoutLines: a host that was away for an hour is not low
// when it is back.
func TestATimeWithoutObservationIsNotATimeWithoutLines(t *testing.T) {
	w := New()
	const away = 4*week + 40
	for slot := int64(0); slot < away+day; slot++ {
		lines := map[string]float32{"b": 1000, "c": 1000, "d": 1000, "e": 1000, "a": 1000}
		if slot >= away && slot < away+4 {
			delete(lines, "a")
		}
		w.Observe(slot, lines)
		if f, low := w.Low()["a"]; low {
			t.Fatalf("%s after it was away: %s", clock(slot), f.String())
		}
	}
}
