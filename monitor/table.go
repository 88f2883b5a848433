package monitor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Table returns the state as lines of text for a terminal: the process and its sinks, then the
// hosts, the worst first, each with its problems below it. Control characters are left out, because
// names and problems come from other hosts.
func (h *Health) Table() []string {
	var b strings.Builder
	p := &h.Process
	fmt.Fprintf(&b, "%s: %s on %s, up %s; %d hosts, %d of them not well", h.Status, p.Kind, p.Host, span(p.UpSeconds), len(h.Metrics), h.count(Failing))
	if n := h.count(Warn); n > 0 {
		fmt.Fprintf(&b, ", %d with warnings", n)
	}
	b.WriteString("; ")
	buffer := "spool"
	if p.Kind == Agent {
		buffer = "window"
	}
	fmt.Fprintf(&b, "%s %s", buffer, bytesText(p.BufferBytes))
	if p.BufferMaxBytes > 0 {
		fmt.Fprintf(&b, " of %s", bytesText(p.BufferMaxBytes))
	}
	b.WriteString("\n")
	if len(p.Sinks) > 0 {
		b.WriteString("sinks:")
		for i, name := range slices.Sorted(maps.Keys(p.Sinks)) {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, " %s %s", name, p.Sinks[name].text())
		}
		b.WriteString("\n")
	}
	for _, why := range p.Reasons {
		fmt.Fprintf(&b, "  %s\n", why)
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", warning)
	}
	b.WriteString("\n")
	h.hosts(&b)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.Map(printable, line), " ")
	}
	return lines
}

func (s Sink) text() string {
	switch {
	case s.FailingSeconds > 0 && s.Status != Failing: // shorter than MaxLag
		return fmt.Sprintf("fails for %s", span(s.FailingSeconds))
	case s.FailingSeconds > 0:
		return fmt.Sprintf("ERROR for %s", span(s.FailingSeconds))
	}
	return string(Okay)
}

// count returns how many hosts have the status.
func (h *Health) count(status Level) (n int) {
	for _, x := range h.Metrics {
		if x.Status == status {
			n++
		}
	}
	return n
}

// hosts writes the table of hosts. The problems are inserted after the table has been aligned,
// because they would make its columns wide.
func (h *Health) hosts(b *strings.Builder) {
	names := slices.SortedFunc(maps.Keys(h.Metrics), func(a, b string) int {
		wrong := func(name string) int {
			return -h.Metrics[name].Status.rank()
		}
		return cmp.Or(cmp.Compare(wrong(a), wrong(b)), strings.Compare(a, b))
	})
	var rows strings.Builder
	w := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tSTATE\tLINES/S\tUNREAD\tLAG\tUNSTORED\tGOVERNOR\tHEARD")
	for _, name := range names {
		x := h.Metrics[name]
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%s\t%s\t%s\t%s\n", clean(name), clean(string(x.Status)), x.LinesPerSecond, bytesText(max(0, x.WrittenBytes-x.ReadBytes)),
			age(x.UntabledSeconds), age(x.UnstoredSeconds), x.Governor.text(), h.heard(&x))
	}
	w.Flush() //nolint:errcheck // it goes to memory
	head, rest, _ := strings.Cut(rows.String(), "\n")
	b.WriteString(head + "\n")
	for _, name := range names {
		var row string
		row, rest, _ = strings.Cut(rest, "\n")
		b.WriteString(row + "\n")
		for _, why := range h.Metrics[name].Reasons {
			b.WriteString("  " + clean(why) + "\n")
		}
		for _, why := range h.Metrics[name].Warnings {
			b.WriteString("  warning: " + clean(why) + "\n")
		}
	}
}

// heard returns the time since a host's last message as text. The host of an agent or a run has
// none: the process reads its logs itself.
func (h *Health) heard(x *Host) string {
	if h.Process.Kind != Collector {
		return "-"
	}
	if x.NeverHeard {
		return "never"
	}
	text := age(max(x.SeenSeconds, 0.1)) + " ago"
	if x.Elsewhere { // OKAY although it was not heard for longer than --silent-after
		text += ", elsewhere"
	}
	return text
}

func (g *Governor) text() string {
	switch {
	case g.PausedSeconds > 0:
		return "paused " + age(g.PausedSeconds)
	case g.BytesPerSecond > 0:
		return bytesText(g.BytesPerSecond) + "/s"
	}
	return "-"
}

func age(seconds float64) string {
	if seconds <= 0 {
		return "-"
	}
	return time.Duration(max(seconds, 0.1) * float64(time.Second)).Round(100 * time.Millisecond).Truncate(precision(seconds)).String()
}

// precision returns the unit to which an age is rounded, coarser for greater ages.
func precision(seconds float64) time.Duration {
	if seconds < 10 {
		return 100 * time.Millisecond
	}
	return time.Second
}

func bytesText(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 999.95 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
}

// clean returns s without characters that would end a line or a column.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		return printable(r)
	}, s)
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}
