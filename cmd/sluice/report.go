package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"sluice/ingest/governor"
	"sluice/monitor/report"
	"sluice/print"
	"sluice/query"
	"sluice/schema"
	"sluice/table/columnar"
)

type reportCmd struct {
	tableFlags
	From       string `placeholder:"T" help:"Requests at or after this time: 2015-05-17, RFC 3339, today, yesterday, -2h."`
	To         string `placeholder:"T" help:"Requests before this time."`
	Last       string `placeholder:"D" help:"Requests of the last 90m, 24h, 7d, 2w (default: 24h)."`
	Host       string `env:"SLUICE_REPORT_HOST" placeholder:"H" help:"Requests of these web hosts, comma-separated."`
	Rows       int    `default:"20" placeholder:"N" help:"Rows of each list."`
	OutputFile string `short:"o" env:"SLUICE_REPORT_FILE" default:"report.html" placeholder:"FILE" help:"The HTML file; - is standard output."`
	Page       bool   `hidden:"" help:"Write the page of the status server, with a form, at the lowest priority."`
}

// Help returns the detailed help text; kong calls it.
func (reportCmd) Help() string {
	return `Writes one HTML file about the requests in a columnar table: requests by hour and class of
status, bytes, hosts, the most frequent paths, and the slowest ones if the LogFormat has a
duration (%D, %T). The file loads nothing from elsewhere and can be mailed.

    sluice report --last 24h -o report.html
    sluice report --host web01,web02 --from yesterday --to today`
}

func (c *reportCmd) Run(a *app) (err error) {
	if c.Rows < 1 || c.Rows > 1000 {
		return usage("--rows must be from 1 to 1000")
	}
	form := c.form()
	if c.Page {
		if err := governor.Lower(); err != nil {
			a.log.Debug("cannot lower the priority of the report", "err", err)
		}
	}
	if c.From == "" && c.Last == "" {
		c.Last = "24h"
	}
	now := time.Now()
	span := scanCmd{From: c.From, To: c.To, Last: c.Last}
	scan, err := span.times(now)
	if err != nil {
		return usageError{err}
	}
	table, err := a.openTableWithin(c.tableFlags, columnar.Bounds{From: scan.From, To: scan.To, Hosts: splitHosts(c.Host)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	source, ok := table.(columnSource)
	if !ok {
		return usage("report reads columnar tables only\nhint: the collector's --columnar keeps one beside HBase; name it with --table parquet:DIR")
	}
	rows, err := newEntries(a.ctx, table, a.log)
	if err != nil {
		return err
	}
	if c.Host != "" {
		if scan.Streams, err = rows.ofHosts(c.Host); err != nil {
			return err
		}
	}
	r := &reporter{cmd: c, app: a, entries: rows, source: source, scan: scan}
	r.out = report.Report{From: timeOf(scan.From), To: timeOf(scan.To), Made: now, Hosts: c.Host, Bytes: -1, Failed: -1, Form: form}
	if scan.To == 0 {
		r.out.To = now
	}
	if err := r.ask(); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := report.Write(&page, &r.out); err != nil {
		return err
	}
	if c.OutputFile == "-" {
		_, err = a.stdout.Write(page.Bytes())
		return err
	}
	temporary := c.OutputFile + ".tmp"
	if err := os.WriteFile(temporary, page.Bytes(), 0o640); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.Rename(temporary, c.OutputFile); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = print.Textf(a.stdout, "%s: %d requests\n", c.OutputFile, r.out.Lines)
	return err
}

// form returns the values of the page's form. nil: the report is written as a file, without a form.
func (c *reportCmd) form() *report.Form {
	if !c.Page {
		return nil
	}
	return &report.Form{Hosts: c.Host, Last: c.Last, From: c.From, To: c.To}
}

func timeOf(ns int64) time.Time {
	if ns <= 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// reporter queries a table for the contents of a report.
type reporter struct {
	cmd     *reportCmd
	app     *app
	entries *entries
	source  columnSource
	scan    schema.Scan
	out     report.Report
}

// hourlyFor is the longest time span that is reported by hour; longer ones are reported by day.
const hourlyFor = 8 * 24 * time.Hour

func (r *reporter) ask() error {
	if len(r.entries.fields) == 0 {
		r.out.Notes = append(r.out.Notes, "The table has no requests of that time.")
		return nil
	}
	for _, ask := range []func() error{r.spans, r.hosts, r.paths, r.slowest} {
		if err := ask(); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether a format has the field.
func (r *reporter) has(field string) bool {
	return slices.ContainsFunc(r.entries.fields, func(fields []schema.Field) bool {
		return slices.ContainsFunc(fields, func(f schema.Field) bool { return f.Name == field })
	})
}

// measures returns those measures whose field is in a format.
func (r *reporter) measures(all ...query.Measure) (known []query.Measure) {
	for _, m := range all {
		if r.has(m.Field) {
			known = append(known, m)
		}
	}
	return known
}

// pageGroupBytes is the memory limit of the groups of a question for a page. With the default, a
// table with some million paths takes more than requestsMemory, and most of the time to collect
// garbage.
const pageGroupBytes = requestsMemory / 3

// answer queries the table. It returns nil and adds a note to the report if there are too many
// groups.
func (r *reporter) answer(what string, q query.Question) (*query.Report, error) {
	q.Zone = time.Local
	if r.cmd.Page {
		q.MaxBytes = pageGroupBytes
	}
	var read atomic.Int64
	answer, err := r.entries.answerColumns(r.app.ctx, r.source, r.scan, q, &read)
	var report query.Report
	if err == nil {
		report, err = answer.Report()
	}
	if errors.Is(err, query.ErrTooManyGroups) {
		r.out.Notes = append(r.out.Notes, what+" are left out: there are too many. Choose a shorter time or fewer hosts.")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return &report, nil
}

var sumOfBytes = query.Measure{Operation: query.Sum, Field: "bytes"}

// spans adds the requests by hour or day and their totals.
func (r *reporter) spans() error {
	r.out.Daily = r.scan.From == 0 || r.out.To.Sub(r.out.From) > hourlyFor
	key := query.HourKey
	if r.out.Daily {
		key = query.DayKey
	}
	q := query.Question{By: []string{key}, Measures: r.measures(sumOfBytes)}
	if r.has("status") {
		q.By = append(q.By, "status_class")
		r.out.Failed = 0
	}
	if len(q.Measures) > 0 {
		r.out.Bytes = 0
	}
	answer, err := r.answer("Requests by hour", q)
	if err != nil || answer == nil {
		return err
	}
	at := map[string]int{}
	for _, row := range answer.Rows {
		start := row[0].Text
		i, ok := at[start]
		if !ok {
			i, at[start] = len(r.out.Spans), len(r.out.Spans)
			r.out.Spans = append(r.out.Spans, report.Span{Start: spanStart(start), Bytes: min(r.out.Bytes, 0)})
		}
		s, n, class := &r.out.Spans[i], int64(row[answer.Keys].Float()), 0
		if answer.Keys > 1 && len(row[1].Text) == 3 && row[1].Text[0] >= '1' && row[1].Text[0] <= '5' {
			class = int(row[1].Text[0] - '0')
		}
		s.ByClass[class] += n
		r.out.Lines += n
		if class == 5 {
			r.out.Failed += n
		}
		if len(row) > answer.Keys+1 {
			b := int64(row[answer.Keys+1].Float())
			s.Bytes += b
			r.out.Bytes += b
		}
	}
	slices.SortFunc(r.out.Spans, func(a, b report.Span) int { return a.Start.Compare(b.Start) })
	return nil
}

// spanStart parses the start of a group of HourKey or DayKey. Zero: text is not a time.
func spanStart(text string) time.Time {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t
		}
	}
	return time.Time{}
}

// list converts an answer whose rows are a name, a count and measures to a table of the report.
func list(title, name string, answer *query.Report, measures ...string) report.Table {
	t := report.Table{Title: title, Columns: append([]string{name, "Requests"}, measures...)}
	if answer.Approximate {
		t.Note = "The counts are estimates: there are very many values."
	}
	for _, row := range answer.Rows {
		x := report.Row{Name: row[0].Text, Numbers: []string{report.Count(int64(row[1].Float()))}}
		if row[0].Null {
			x.Name = "–"
		}
		for i := range measures {
			v, text := row[2+i], "–"
			switch {
			case v.Null:
			case measures[i] == "Bytes":
				text = report.Bytes(int64(v.Float()))
			default:
				text = strconv.FormatFloat(v.Float(), 'f', -1, 64)
			}
			x.Numbers = append(x.Numbers, text)
		}
		t.Rows = append(t.Rows, x)
	}
	return t
}

func (r *reporter) hosts() error {
	q := query.Question{By: []string{schema.HostField}, Measures: r.measures(sumOfBytes), Limit: r.cmd.Rows}
	answer, err := r.answer("Hosts", q)
	if err != nil || answer == nil {
		return err
	}
	var columns []string
	if len(q.Measures) > 0 {
		columns = []string{"Bytes"}
	}
	r.out.Tables = append(r.out.Tables, list("Hosts", "Host", answer, columns...))
	return nil
}

func (r *reporter) paths() error {
	if !r.has("path") {
		return nil
	}
	answer, err := r.answer("Paths", query.Question{By: []string{schema.URLPathField}, Limit: r.cmd.Rows, Frequent: true})
	if err != nil || answer == nil {
		return err
	}
	r.out.Tables = append(r.out.Tables, list("Most frequent paths", "Path", answer))
	return nil
}

// slowest adds the slowest paths by their 95th percentile, in the first unit of duration that a
// format has.
func (r *reporter) slowest() error {
	for _, d := range []struct{ field, unit string }{{"duration_us", "µs"}, {"duration_ms", "ms"}, {"duration_s", "s"}} {
		if !r.has(d.field) || !r.has("path") {
			continue
		}
		p95 := query.Measure{Operation: query.Quantile, Field: d.field, Q: 0.95}
		q := query.Question{By: []string{schema.URLPathField}, Limit: r.cmd.Rows, Order: query.Order{Column: p95.Name(), Descending: true},
			Measures: []query.Measure{p95, {Operation: query.Quantile, Field: d.field, Q: 0.5}, {Operation: query.Max, Field: d.field}}}
		answer, err := r.answer("The slowest paths", q)
		if err != nil || answer == nil {
			return err
		}
		t := list("Slowest paths", "Path", answer, "95 % within "+d.unit, "Half within "+d.unit, "Longest "+d.unit)
		r.out.Tables = append(r.out.Tables, t)
		return nil
	}
	return nil
}
