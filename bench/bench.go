// Package bench measures how fast sluice is on the machine it runs on: the
// parser, the table, the archive, and a whole run. Machines differ and are
// shared, so every measurement has something beside it that was measured in the
// same rounds, and it is the ratio that can be compared.
package bench

import (
	"cmp"
	"slices"
	"time"
)

// Cost is what something cost in several rounds: smaller is better.
type Cost struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
}

func newCost(rounds []float64) Cost {
	s := slices.Sorted(slices.Values(rounds))
	if len(s) == 0 {
		return Cost{}
	}
	return Cost{Median: (s[(len(s)-1)/2] + s[len(s)/2]) / 2, Min: s[0]}
}

// costOf is the cost of each round, as value says.
func costOf[T any](rounds []T, value func(T) float64) Cost {
	var list []float64
	for _, r := range rounds {
		list = append(list, value(r))
	}
	return newCost(list)
}

// Result is everything that was measured; nil is what was not.
type Result struct {
	Machine Machine  `json:"machine"`
	Log     LogSize  `json:"log"`
	Rounds  int      `json:"rounds"`
	Parse   *Parse   `json:"parse,omitempty"`
	Table   *Table   `json:"table,omitempty"`
	Archive *Archive `json:"archive,omitempty"`
	Run     *Run     `json:"run,omitempty"`
	Query   *Query   `json:"query,omitempty"`
}

// Machine is where it was measured.
type Machine struct {
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

// LogSize is what was measured with.
type LogSize struct {
	Path  string `json:"path,omitempty"` // empty: the sample log
	Seed  uint64 `json:"seed,omitempty"`
	Lines int64  `json:"lines"`
	Bytes int64  `json:"bytes"`
}

// perMillion is the seconds that a million of them take.
func perMillion(d time.Duration, n int64) float64 {
	return d.Seconds() * 1e6 / float64(max(n, 1))
}

// perSecond is how many there are in a second, where one takes that many nanoseconds.
func perSecond(nanos float64) float64 { return 1e9 / cmp.Or(nanos, 1) }
