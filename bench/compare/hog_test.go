package compare

import (
	"testing"
	"time"

	"sluice/bench/trace"
)

// TestSharesAreWeightedByTheirDuration checks that shares are weighted by their duration.
func TestSharesAreWeightedByTheirDuration(t *testing.T) {
	at := func(s float64) time.Time { return time.UnixMilli(int64(s * 1e3)) }
	step := func(s float64, level string, used, allowed float64) trace.Step {
		return trace.Step{At: at(s), Level: level, CPUShare: used, BudgetShare: allowed}
	}
	h := &Hog{AsideSeconds: -1, BackSeconds: -1, Marks: []trace.Mark{{At: at(10)}, {At: at(20)}}, Steps: []trace.Step{
		step(0, "full", 0.5, 0.05), step(5, "full", 0.04, 0.05), step(10, "full", 0.02, 0.05),
		step(11, "full", 0.05, 0.04), step(12, "slowed", 0.01, 0.005), step(20, "slowed", 0.005, 0.005),
		step(25, "slowed", 0.02, 0.03), step(30, "full", 0.04, 0.05), step(35, "slowed", 0.05, 0.01),
	}}
	h.judge()
	if h.AsideSeconds != 2 || h.BackSeconds != 10 || h.Changes != 3 {
		t.Errorf("aside %v, back %v, %d changes: want 2, 10, 3", h.AsideSeconds, h.BackSeconds, h.Changes)
	}
	for name, pair := range map[string][2]float64{"before": {h.Before, 3}, "during": {h.During, 1}, "after": {h.After, 11.0 / 3}} {
		if d := pair[0] - pair[1]; d > 1e-9 || d < -1e-9 {
			t.Errorf("%s: %v %%, want %v", name, pair[0], pair[1])
		}
	}
}
