package measure

import (
	"fmt"
	"math"
)

// Ratio is the ratio of two measurements that were made in pairs.
type Ratio struct {
	// Mean is the geometric mean of the pairs' ratios; 0: there are none.
	Mean float64 `json:"mean"`
	// Low and High limit its 95 % confidence interval (Student's t of the logarithms); 0 for fewer
	// than two pairs, which have none.
	Low   float64 `json:"low,omitempty"`
	High  float64 `json:"high,omitempty"`
	Pairs int     `json:"pairs"`
}

// NewRatio returns the mean of the ratios of all pairs, and its confidence interval. Ratios must be
// greater than 0.
func NewRatio(ratios []float64) Ratio {
	n := float64(len(ratios))
	if len(ratios) == 0 {
		return Ratio{}
	}
	mean := 0.0
	for _, r := range ratios {
		mean += math.Log(r) / n
	}
	if len(ratios) == 1 {
		return Ratio{Mean: math.Exp(mean), Pairs: 1}
	}
	squares := 0.0
	for _, r := range ratios {
		d := math.Log(r) - mean
		squares += d * d
	}
	half := student95(len(ratios)-1) * math.Sqrt(squares/(n-1)/n)
	return Ratio{Mean: math.Exp(mean), Low: math.Exp(mean - half), High: math.Exp(mean + half), Pairs: len(ratios)}
}

// students are the 97.5 % quantiles of Student's t for 1 and more degrees of freedom.
var students = [...]float64{
	12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
	2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
	2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
}

// student95 returns the 97.5 % quantile of Student's t, so that 95 % are between it and its
// negative. Beyond the table the error is below 0.003.
func student95(freedom int) float64 {
	if freedom <= len(students) {
		return students[freedom-1]
	}
	return 1.96 + 2.4/float64(freedom)
}

// String returns the mean, with the interval in brackets.
func (r Ratio) String() string {
	switch r.Pairs {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf("%.4f", r.Mean)
	}
	return fmt.Sprintf("%.4f [%.4f, %.4f]", r.Mean, r.Low, r.High)
}
