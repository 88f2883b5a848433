// Package measure has what all benchmarks use: costs of several rounds, resource usage of
// processes, and tables of figures. Package bench measures sluice with it, package bench/compare
// compares programs.
package measure

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Cost is the cost of something in several rounds; smaller is better.
type Cost struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
}

// NewCost returns the median and the minimum of the rounds; zeros if there are none.
func NewCost(rounds []float64) Cost {
	s := slices.Sorted(slices.Values(rounds))
	if len(s) == 0 {
		return Cost{}
	}
	return Cost{Median: (s[(len(s)-1)/2] + s[len(s)/2]) / 2, Min: s[0]}
}

// CostOf returns the cost of the rounds; value returns that of one round.
func CostOf[T any](rounds []T, value func(T) float64) Cost {
	var list []float64
	for _, r := range rounds {
		list = append(list, value(r))
	}
	return NewCost(list)
}

// Text returns the median, with the minimum in brackets, with the given number of decimal places.
func (c Cost) Text(digits int) string {
	return fmt.Sprintf("%.*f (%.*f)", digits, c.Median, digits, c.Min)
}

// Machine describes the machine of a measurement.
type Machine struct {
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

// ThisMachine returns the machine of this process.
func ThisMachine() Machine {
	return Machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// PerMillion returns the time in seconds for a million items, if n items take d.
func PerMillion(d time.Duration, n int64) float64 {
	return d.Seconds() * 1e6 / float64(max(n, 1))
}

// PerSecond returns the number of items in a second, if one takes the given nanoseconds.
func PerSecond(nanos float64) float64 { return 1e9 / cmp.Or(nanos, 1) }

// CheckCount returns an error if got is not want: a measurement of a run that lost something is
// invalid.
func CheckCount(what string, got, want int64) error {
	if got != want {
		return fmt.Errorf("%s: %d, not %d: what was measured is not what was meant", what, got, want)
	}
	return nil
}

// DirBytes returns the size of all files below dir.
func DirBytes(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// WriteTable appends a table with aligned columns to b. Cells of head and rows are separated by
// tabs. rows must call its argument once for each row.
func WriteTable(b *strings.Builder, head string, rows func(row func(format string, args ...any))) {
	fmt.Fprintln(b)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	rows(func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) })
	t.Flush() // a strings.Builder returns no errors
}
