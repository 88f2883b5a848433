package measure

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestRatioHasTheIntervalOfStudentsT(t *testing.T) {
	// Logarithms -0.1, 0 and 0.1: standard deviation 0.1, t(2) = 4.303.
	r := NewRatio([]float64{math.Exp(-0.1), 1, math.Exp(0.1)})
	half := 4.303 * 0.1 / math.Sqrt(3)
	if math.Abs(r.Mean-1) > 1e-9 || math.Abs(r.Low-math.Exp(-half)) > 1e-9 || math.Abs(r.High-math.Exp(half)) > 1e-9 || r.Pairs != 3 {
		t.Errorf("%+v: want 1 [%.6f, %.6f]", r, math.Exp(-half), math.Exp(half))
	}
	for ratios, want := range map[int]string{0: "-", 1: "0.5000", 2: "0.5000 [0.5000, 0.5000]"} {
		same := make([]float64, ratios)
		for i := range same {
			same[i] = 0.5
		}
		if got := NewRatio(same).String(); got != want {
			t.Errorf("%d pairs: %q, want %q", ratios, got, want)
		}
	}
}

// TestRatioIntervalHasTheTrueRatioInNineteenOfTwentyCases draws pairs whose true ratio is known.
func TestRatioIntervalHasTheTrueRatioInNineteenOfTwentyCases(t *testing.T) {
	const cases = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	for _, pairs := range []int{2, 5, 12, 40} {
		inside := 0
		for range cases {
			ratios := make([]float64, pairs)
			for i := range ratios {
				ratios[i] = 0.97 * math.Exp(0.05*random.NormFloat64())
			}
			if r := NewRatio(ratios); r.Low <= 0.97 && 0.97 <= r.High {
				inside++
			}
		}
		if share := float64(inside) / cases; share < 0.945 || share > 0.955 {
			t.Errorf("%d pairs: the interval has the ratio in %.4f of the cases, want 0.95", pairs, share)
		}
	}
}
