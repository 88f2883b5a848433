package measure

import "testing"

func TestCostIsTheMedianAndTheLeast(t *testing.T) {
	for _, c := range []struct {
		rounds []float64
		want   Cost
	}{
		{nil, Cost{}},
		{[]float64{3}, Cost{3, 3}},
		{[]float64{9, 1, 2}, Cost{2, 1}},
		{[]float64{4, 1, 9, 2}, Cost{3, 1}},
	} {
		if got := NewCost(c.rounds); got != c.want {
			t.Errorf("%v: %v, not %v", c.rounds, got, c.want)
		}
	}
}
