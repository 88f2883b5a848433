package compare

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sluice/bench/fleet"
	"sluice/bench/measure"
)

// TailConfig are the parameters of MeasureTail: every reader is measured with every load.
type TailConfig struct {
	// Fleet is the load; its Dir, Shape, Rotation and Now are set for each measurement.
	Fleet     fleet.Config
	Shapes    []fleet.Shape
	Rotations []fleet.Rotation
	Readers   []string // names for CheckTailReader
	// Warm is the time before Window, in which CPU and latency are measured. For Flume it is at
	// least flumeWarm.
	Warm, Window time.Duration
	Rounds       int
	// Kill kills the readers of sluice with SIGKILL at random times in the window, and restarts
	// them.
	Kill  bool
	Dir   string // each measurement has a directory for its logs in it
	Peers string // cache directory for Flume's jars
	Spawn Spawn
	// Say is called with a description of the next measurement.
	Say func(what string)
}

// Tail is the cost of following a fleet's logs, and whether every line was delivered.
type Tail struct {
	Machine measure.Machine `json:"machine"`
	Fleet   fleet.Config    `json:"fleet"`
	Seconds float64         `json:"seconds"`
	Rounds  int             `json:"rounds"`
	Rows    []*TailRow      `json:"rows"`
}

// TailRow is one reader with one load.
type TailRow struct {
	Reader   string         `json:"reader"`
	Shape    fleet.Shape    `json:"shape"`
	Rotation fleet.Rotation `json:"rotation"`
	// CPU is that of the reader, in percent of one core, user and system; 0 if it was killed.
	CPU       measure.Cost `json:"cpu_percent"`
	PeakBytes measure.Cost `json:"peak_bytes"`
	P50       measure.Cost `json:"p50_milliseconds"`
	P99       measure.Cost `json:"p99_milliseconds"`
	// WriterMicros is the CPU time of the writer for a line, in microseconds; 0 if it writes none.
	WriterMicros measure.Cost `json:"writer_microseconds_per_line"`
	Lines        int          `json:"lines"` // written in all rounds
	Rotated      int          `json:"rotated"`
	Kills        int          `json:"kills"`
	// Checked is what Checks compared: every byte, every line, or the number of lines.
	Checked string          `json:"checked"`
	Checks  []*fleet.Report `json:"checks"`
	// Failed is the reason why there are no figures.
	Failed string `json:"failed,omitempty"`
}

// The values of Checked.
const (
	checkedBytes = "bytes"
	checkedLines = "lines"
	checkedCount = "count"
)

// The readers whose names have no interval. Those of sluice and the sweep have one.
const (
	readerNone  = "none"
	readerNxadm = "nxadm"
	readerFlume = "flume"

	readerSluice = "sluice"
	readerAgent  = "agent"
	readerSweep  = "sweep"
)

// CheckTailReader returns an error if there is no reader with that name.
func CheckTailReader(name string) error {
	if name == readerNone || name == readerNxadm || name == readerFlume || name == readerSluice+"-auto" {
		return nil
	}
	if _, err := readerInterval(name); err != nil {
		return fmt.Errorf("%q is no reader: none, sluice-auto, sluice-1s (or another interval), sweep-1s, nxadm, flume", name)
	}
	return nil
}

// readerInterval returns the interval in a name like sluice-200ms; 0 for auto.
func readerInterval(name string) (time.Duration, error) {
	kind, text, ok := strings.Cut(name, "-")
	if !ok || kind != readerSluice && kind != readerSweep {
		return 0, fmt.Errorf("no interval in %q", name)
	}
	if text == "auto" && kind == readerSluice {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is no interval", text)
	}
	return d, err
}

func (r *TailRow) ours() bool { return strings.HasPrefix(r.Reader, readerSluice+"-") }

// sum returns the sum of a figure over all checks.
func (r *TailRow) sum(value func(*fleet.Report) int64) int64 {
	n := int64(0)
	for _, c := range r.Checks {
		n += value(c)
	}
	return n
}

func (r *TailRow) verdict() string {
	switch {
	case r.Failed != "":
		return "failed: " + r.Failed
	case len(r.Checks) == 0:
		return ""
	case slices.ContainsFunc(r.Checks, func(c *fleet.Report) bool { return !c.OK() }):
		return "WRONG (" + r.Checked + ")"
	}
	return "right (" + r.Checked + ")"
}

// Wrong returns the errors of sluice's readers, one on each line.
func (t *Tail) Wrong() []string {
	var wrong []string
	for _, r := range t.Rows {
		if !r.ours() {
			continue
		}
		if r.Failed != "" {
			wrong = append(wrong, fmt.Sprintf("%s, %s, %s: %s", r.Reader, r.Shape, r.Rotation, r.Failed))
		}
		for _, c := range r.Checks {
			for _, f := range c.Faults {
				wrong = append(wrong, fmt.Sprintf("%s, %s, %s: %s", r.Reader, r.Shape, r.Rotation, f))
			}
		}
	}
	return wrong
}

// Print writes the result as text: the median if there are several rounds.
func (t *Tail) Print(w io.Writer) error {
	var b strings.Builder
	c := t.Fleet
	fmt.Fprintf(&b, "%d files, %d of them busy, %d lines/s, %d a write, seed %d\n", c.Files, c.Busy, c.LinesPerSecond, max(c.LinesPerWrite, 1), c.Seed)
	fmt.Fprintf(&b, "%d CPUs, %s %s/%s; %.0f s each, median of %d rounds; CPU is of one core\n", t.Machine.CPUs, t.Machine.Go, t.Machine.OS, t.Machine.Arch, t.Seconds, t.Rounds)
	measure.WriteTable(&b, "reader\tshape\trotate\tCPU %\tMB\tp50/p99 ms\twriter µs/line\tlines\trotated\tkills\tagain\tlost\tdoubled\ttorn\tverdict", func(row func(string, ...any)) {
		for _, r := range t.Rows {
			row("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s", r.Reader, r.Shape, r.Rotation,
				orDash(r.CPU.Median > 0, "%.3f", r.CPU.Median), orDash(r.PeakBytes.Median > 0, "%.1f", r.PeakBytes.Median/1e6),
				orDash(r.P99.Median > 0, "%.0f/%.0f", r.P50.Median, r.P99.Median), orDash(r.WriterMicros.Median > 0, "%.2f", r.WriterMicros.Median),
				r.Lines, r.Rotated, r.Kills, r.sum(func(c *fleet.Report) int64 { return c.Again }), r.sum(func(c *fleet.Report) int64 { return c.Lost }),
				r.sum(func(c *fleet.Report) int64 { return c.Doubled }), r.sum(func(c *fleet.Report) int64 { return c.Torn }), r.verdict())
		}
	})
	for _, line := range t.Wrong() {
		fmt.Fprintln(&b, line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orDash(is bool, format string, args ...any) string {
	if !is {
		return "-"
	}
	return fmt.Sprintf(format, args...)
}
