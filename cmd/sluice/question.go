package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/print"
	"sluice/query"
	"sluice/schema"
)

// questionFlags request aggregations instead of records.
type questionFlags struct {
	Count     bool           `help:"Print the number of records."`
	By        []string       `placeholder:"FIELD" help:"Count the records of each value of a field, or of several: --by status,method. hour and day are those of the time; status_class (5xx) and url_path (the path without its query) are computed."`
	Sum       []string       `placeholder:"FIELD" help:"Sum of a field's numbers, of all records or of each group of --by."`
	Avg       []string       `placeholder:"FIELD" help:"Average of a field's numbers."`
	Min       []string       `placeholder:"FIELD" help:"Least number of a field, or its earliest time."`
	Max       []string       `placeholder:"FIELD" help:"Greatest number of a field, or its latest time."`
	Quantile  []string       `sep:"none" placeholder:"FIELD:Q" help:"Quantiles of a field's numbers: bytes:0.5,0.95,0.99. Exact for up to 1,048,576 values, or 4,096 in each group; beyond that within 0.4 %. May be repeated."`
	Distinct  []string       `placeholder:"FIELD" help:"Count the different values of a field. Exact for up to 1,048,576 values, or 4,096 in each group; beyond that an estimate with a standard error of 0.8 %."`
	Top       string         `placeholder:"FIELD" help:"Print the most frequent values of a field (--limit of them, default 10): --by FIELD --limit 10, with approximate counts if the values do not fit into memory."`
	Histogram *time.Duration `placeholder:"1h" help:"Print the number of records in each interval: 10m, 1h, 1d, 1w (from Monday)."`
	Order     string         `placeholder:"COLUMN" help:"Sort the groups by a column of the answer: count, sum_bytes, path:desc, p95_bytes:asc."`
}

// asked reports whether one of the flags is given.
func (f *questionFlags) asked() bool {
	return f.Count || len(f.By)+len(f.Sum)+len(f.Avg)+len(f.Min)+len(f.Max)+len(f.Quantile)+len(f.Distinct) > 0 || f.Top != "" || f.Histogram != nil
}

// question returns the aggregation that the flags request. nil: none. limit is the number of
// groups; 0: all.
func (f *questionFlags) question(limit int) (*query.Question, error) {
	if !f.asked() {
		if f.Order != "" {
			return nil, usage("--order sorts groups, and records are printed in time order\nhint: give --by, too")
		}
		return nil, nil
	}
	q := &query.Question{By: f.By, Zone: time.Local, Limit: limit}
	groupings := 0
	for _, given := range []bool{len(f.By) > 0, f.Top != "", f.Histogram != nil} {
		if given {
			groupings++
		}
	}
	if groupings > 1 {
		return nil, usage("--by, --top and --histogram exclude each other\nhint: give one of them")
	}
	if err := f.measures(q); err != nil {
		return nil, err
	}
	if f.Histogram != nil {
		if q.Every = *f.Histogram; q.Every == 0 {
			return nil, usage("--histogram: the interval must be a whole number of seconds, at least 1, such as 10m, 1h, 1d or 1w")
		}
	}
	if f.Top != "" {
		q.By = []string{f.Top}
		q.Frequent = len(q.Measures) == 0 && f.Order == ""
		if q.Limit <= 0 {
			q.Limit = 10
		}
	}
	if f.Order != "" {
		if err := q.ParseOrder(f.Order); err != nil {
			return nil, usage("--order: %w", err)
		}
	}
	return q, nil
}

func (f *questionFlags) measures(q *query.Question) error {
	for _, m := range []struct {
		operation query.Operation
		fields    []string
	}{{query.Sum, f.Sum}, {query.Avg, f.Avg}, {query.Min, f.Min}, {query.Max, f.Max}} {
		for _, field := range m.fields {
			q.Measures = append(q.Measures, query.Measure{Operation: m.operation, Field: field})
		}
	}
	for _, s := range f.Quantile {
		measures, err := query.ParseQuantiles(s)
		if err != nil {
			return usage("--quantile: %w", err)
		}
		q.Measures = append(q.Measures, measures...)
	}
	for _, field := range f.Distinct {
		q.Measures = append(q.Measures, query.Measure{Operation: query.Distinct, Field: field})
	}
	var names []string
	for _, m := range q.Measures {
		if slices.Contains(names, m.Name()) {
			return usage("%s is given twice", m.Name())
		}
		names = append(names, m.Name())
	}
	return nil
}

// tooMuch adds a hint to an error of too many groups. Other errors are returned unchanged.
func (f *questionFlags) tooMuch(err error) error {
	switch {
	case !errors.Is(err, query.ErrTooManyGroups):
		return err
	case len(f.By) == 1:
		return fmt.Errorf("%w\nhint: --top %s prints the most frequent, --distinct %s how many there are; --where, --from and --to leave records out", err, f.By[0], f.By[0])
	}
	return fmt.Errorf("%w\nhint: group by fewer fields, or leave records out with --where, --from and --to", err)
}

// report prints the answer.
func (f *questionFlags) report(a *app, out outputFlags, answer *query.Answer) error {
	report, err := answer.Report()
	if err != nil {
		return err
	}
	if len(report.Columns) == 1 && out.Output == "auto" { // scripts need the bare number
		_, err := print.Textln(a.stdout, report.Rows[0][0].Text)
		return err
	}
	return print.Report(a.stdout, out.kind(a.stdout), print.Options{CRLF: out.CSVCRLF}, report)
}

// answerPrinter adds the records that it is given to an answer, and prints the answer when it is
// closed.
type answerPrinter struct {
	*query.Answer
	flags *questionFlags
	app   *app
	out   outputFlags
}

// answerOf returns an answerPrinter for records of these formats.
func (f *questionFlags) answerOf(a *app, out outputFlags, q query.Question, formats [][]schema.Field) (*answerPrinter, error) {
	if err := out.check(); err != nil {
		return nil, err
	}
	if out.OutputFile != "" {
		return nil, usage("--output-file cannot be used with --count, --by and other aggregations, which print to standard output")
	}
	if err := q.Check(formats...); err != nil {
		return nil, usageError{err}
	}
	answer, err := query.NewAnswer(q)
	if err != nil {
		return nil, usageError{err}
	}
	return &answerPrinter{answer, f, a, out}, nil
}

// Print implements [print.Printer].
func (p *answerPrinter) Print(e *schema.Entry) error { return p.flags.tooMuch(p.Add(e)) }

// Flush implements [print.Printer]. It does nothing: an answer is printed only when it is complete.
func (p *answerPrinter) Flush() error { return nil }

// Close implements [print.Printer].
func (p *answerPrinter) Close() error { return p.flags.report(p.app, p.out, p.Answer) }
