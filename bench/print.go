package bench

import (
	"fmt"
	"io"
	"strings"

	"sluice/bench/measure"
)

// Print writes the result as text: medians, with the minimum in brackets.
func (r *Result) Print(w io.Writer) error {
	var b strings.Builder
	what := r.Log.Path
	if what == "" {
		what = fmt.Sprintf("the sample log of seed %d", r.Log.Seed)
	}
	fmt.Fprintf(&b, "%s: %d lines, %.1f MB, %.0f bytes a line\n", what, r.Log.Lines, float64(r.Log.Bytes)/1e6, float64(r.Log.Bytes)/float64(max(r.Log.Lines, 1)))
	fmt.Fprintf(&b, "%d CPUs, %s %s/%s; median of %d rounds (least in brackets)\n", r.Machine.CPUs, r.Machine.Go, r.Machine.OS, r.Machine.Arch, r.Rounds)
	r.Parse.print(&b)
	r.Table.print(&b)
	r.Archive.print(&b)
	r.Run.print(&b)
	r.Query.print(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Parse) print(b *strings.Builder) {
	if p == nil {
		return
	}
	measure.WriteTable(b, "parse "+p.Format+"\tns a line\tMB/s\ttimes newlines\tallocations a line\tlines", func(row func(string, ...any)) {
		for _, r := range p.Readers {
			row("%s\t%s\t%.0f\t%s\t%.3f\t%d", r.Name, r.NanosPerLine.Text(1), r.MBPerSecond, r.TimesSplit.Text(1), r.AllocsPerLine, r.Lines)
		}
	})
}

func (t *Table) print(b *strings.Builder) {
	if t == nil {
		return
	}
	measure.WriteTable(b, fmt.Sprintf("table, %d rows\tCPU s a million\trows/s", t.Rows), func(row func(string, ...any)) {
		row("parse and encode\t%s\t%.0f", t.EncodeCPU.Text(2), 1e6/t.EncodeCPU.Median)
		row("sort, compress and write\t%s\t%.0f", t.WriteCPU.Text(2), 1e6/t.WriteCPU.Median)
		row("scan in time order\t\t%.0f", 1e6/t.ScanSeconds.Median)
		row("on disk: %.0f bytes a row, of lines of %.0f", t.BytesPerRow, t.BytesPerLine)
	})
}

func (a *Archive) print(b *strings.Builder) {
	if a == nil {
		return
	}
	measure.WriteTable(b, "archive\tCPU s a GB\tMB a CPU s\tratio\tgzip alone, CPU s a GB\tits ratio\ttimes gzip", func(row func(string, ...any)) {
		for _, l := range a.Levels {
			row("level %d\t%s\t%.0f\t%.2f\t%s\t%.2f\t%s", l.Level, l.SegmentCPU.Text(2), l.MBPerSecond, l.Ratio, l.GzipCPU.Text(2), l.GzipRatio, l.TimesGzip.Text(2))
		}
	})
}

func (r *Run) print(b *strings.Builder) {
	if r == nil {
		return
	}
	measure.WriteTable(b, fmt.Sprintf("run --once, %d lines", r.Lines), func(row func(string, ...any)) {
		row("CPU s a million lines\t%s", r.CPU.Text(2))
		row("seconds a million lines\t%s", r.Wall.Text(2))
		row("lines/s\t%d", r.LinesPerSec)
		row("peak memory, MiB\t%.0f (%.0f)", r.PeakBytes.Median/(1<<20), r.PeakBytes.Min/(1<<20))
		row("on disk, bytes a line\t%.1f table, %.1f archive", float64(r.TableBytes)/float64(r.Lines), float64(r.ArchiveBytes)/float64(r.Lines))
	})
}

func (q *Query) print(b *strings.Builder) {
	if q == nil {
		return
	}
	programs := []string{}
	if len(q.Asked) > 0 {
		for _, c := range q.Asked[0].By {
			programs = append(programs, c.Program)
		}
	}
	head := fmt.Sprintf("questions, %d rows, %.1f MB; ms, whole process", q.Rows, float64(q.Bytes)/1e6)
	for i, p := range programs {
		head += "\t" + p
		if i > 0 {
			head += "\ttimes sluice's"
		}
	}
	measure.WriteTable(b, head+"\tsluice, CPU ms\tMB", func(row func(string, ...any)) {
		row("(sluice version)\t%s", q.Start.Text(0))
		for _, a := range q.Asked {
			line := a.Question
			for i, c := range a.By {
				line += "\t" + c.Wall.Text(0)
				if i > 0 {
					line += fmt.Sprintf("\t%.2f", c.Wall.Median/max(a.By[0].Wall.Median, 1e-9))
				}
			}
			row("%s\t%s\t%.0f", line, a.By[0].CPU.Text(0), a.By[0].Peak.Median/1e6)
		}
	})
	for _, m := range q.Missing {
		fmt.Fprintf(b, "left out: %s\n", m)
	}
}
