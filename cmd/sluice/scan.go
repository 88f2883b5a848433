package main

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"sluice/query"
	"sluice/schema"
	"sluice/table/columnar"
)

type scanCmd struct {
	tableFlags
	From    string `placeholder:"T" help:"Rows at or after this time: 2015-05-17, '2015-05-17 10:05', RFC 3339, now, today, yesterday, -2h."`
	To      string `placeholder:"T" help:"Rows before this time."`
	Last    string `placeholder:"D" help:"Rows of the last 90m, 24h, 7d, 2w."`
	Undated bool   `help:"Only lines whose time could not be read."`
	Host    string `env:"SLUICE_SCAN_HOST" placeholder:"H" help:"Lines of these web hosts, comma-separated."`
	Label   labels `env:"SLUICE_SCAN_LABEL" placeholder:"NAME=VALUE" help:"Lines of logs with this label. Several labels must all match."`
	Status  string `placeholder:"S" help:"404, 5xx, 400-499, or several with commas."`
	Method  string `placeholder:"M" help:"GET, or several with commas."`
	Path    string `placeholder:"PREFIX" help:"Prefix of the path."`
	Client  string `placeholder:"IP" help:"Address, block (10.0.0.0/8, 10.*), range (10.1.2.3-10.1.2.9) or host name (web.example.org, *.example.org), or several with commas."`
	Where   string `placeholder:"EXPR" help:"Expression over fields: 'status >= 500 and path =~ \"^/api\"'."`
	Limit   int    `placeholder:"N" help:"Stop after this number of rows, or groups of --by."`
	Reverse bool   `help:"Newest first."`
	questionFlags
	outputFlags
}

// Help returns the detailed help text; kong calls it.
func (scanCmd) Help() string {
	return `Prints rows in time order. A row must match all flags:

    sluice scan --status 5xx --last 24h
    sluice scan --host web01 --from yesterday --to today --output raw
    sluice scan --where 'bytes > 1000000 and not agent contains "bot"' --fields time,client,path,bytes
    sluice scan --status 404 --top url_path
    sluice scan --histogram 1h
    sluice scan --by status_class,hour --last 7d
    sluice scan --by vhost --sum bytes --distinct client --order sum_bytes --limit 20
    sluice scan --quantile duration_us:0.5,0.95,0.99 --by url_path --order count --limit 10

Fields are those of the log's format, and host, file, stream, offset, logbody and
parse_error; url_path (the path without its query) and status_class (5xx) are computed.
--output raw prints the lines as Apache wrote them, byte for byte.

Answers are exact unless a line below the table marks them as estimates: with very many
values, quantiles, --distinct and the counts of --top are estimated. --by fails if the
groups need more than 256 MiB; the error has a hint.`
}

func (s *scanCmd) Run(a *app) (err error) {
	now := time.Now()
	scan, err := s.times(now)
	if err != nil {
		return usageError{err}
	}
	if scan.Filter, err = s.filter(now); err != nil {
		return usageError{err}
	}
	if s.Limit < 0 {
		return usage("--limit must be at least 0; 0 is no limit")
	}
	if err := s.check(); err != nil {
		return err
	}
	question, err := s.question(s.Limit)
	if err != nil {
		return err
	}
	within := columnar.Bounds{From: scan.From, To: scan.To, Hosts: splitHosts(s.Host)}
	err = s.ask(a, within, scan, question)
	var mistake usageError
	// The table may have this host or field outside the bounds.
	if errors.As(err, &mistake) && (within.From > 0 || within.Hosts != nil) {
		err = s.ask(a, columnar.Bounds{}, scan, question)
	}
	return err
}

// ask prints the answer to the question or, without one, the matching rows. It reads at least the
// part of the table that is within the bounds. If the error is a usageError, nothing was printed.
func (s *scanCmd) ask(a *app, within columnar.Bounds, scan schema.Scan, question *query.Question) (err error) {
	table, err := a.openTableWithin(s.tableFlags, within)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	rows, err := newEntries(a.ctx, table, a.log)
	if err != nil {
		return err
	}
	if s.Host != "" {
		if scan.Streams, err = rows.ofHosts(s.Host); err != nil {
			return err
		}
	}
	if len(s.Label) > 0 {
		if scan.Streams, err = rows.ofLabels(scan.Streams, s.Label); err != nil {
			return err
		}
	}
	matcher, err := query.Compile(scan.Filter, rows.fields...)
	if err != nil {
		return usageError{err}
	}
	if question != nil {
		return s.answer(a, rows, scan, matcher, *question)
	}
	return s.print(a, rows, scan, matcher)
}

// times returns a scan with the time range of --from, --to, --last and --undated, and the order.
func (s *scanCmd) times(now time.Time) (scan schema.Scan, err error) {
	scan.Reverse = s.Reverse
	if s.Undated {
		if s.From+s.To+s.Last != "" {
			return scan, errors.New("--undated is for lines without a time: leave --from, --to and --last out")
		}
		scan.To = 1
		return scan, nil
	}
	if s.From != "" {
		if s.Last != "" {
			return scan, errors.New("--from and --last exclude each other\nhint: give one of them")
		}
		if scan.From, err = query.ParseTime(s.From, now, time.Local); err != nil {
			return scan, fmt.Errorf("--from: %w", err)
		}
	}
	if s.To != "" {
		if scan.To, err = query.ParseTime(s.To, now, time.Local); err != nil {
			return scan, fmt.Errorf("--to: %w", err)
		}
	}
	if s.Last != "" {
		length, err := query.ParseLast(strings.TrimPrefix(s.Last, "-"))
		if err != nil {
			return scan, fmt.Errorf("--last: %w", err)
		}
		end := now.UnixNano()
		if scan.To > 0 {
			end = scan.To
		}
		scan.From = max(end-int64(length), 1)
	}
	if scan.To > 0 && scan.From >= scan.To {
		return scan, errors.New("--from is not before --to: no row can be between them")
	}
	return scan, nil
}

// filter returns the conjunction of the filter flags. nil: none is set.
func (s *scanCmd) filter(now time.Time) (*schema.Filter, error) {
	var all []*schema.Filter
	for _, f := range []struct {
		value string
		parse func(string) (*schema.Filter, error)
	}{
		{s.Status, query.Status}, {s.Method, query.Method}, {s.Client, query.Client},
		{s.Path, query.Path},
		{s.Where, func(e string) (*schema.Filter, error) { return query.Parse(e, now, time.Local) }},
	} {
		if f.value == "" {
			continue
		}
		filter, err := f.parse(f.value)
		if err != nil {
			return nil, err
		}
		all = append(all, filter)
	}
	return query.All(all...), nil
}

// answer prints the answer to a question about the rows that match.
func (s *scanCmd) answer(a *app, rows *entries, scan schema.Scan, matcher *query.Matcher, q query.Question) error {
	answer, err := s.answerOf(a, s.outputFlags, q, rows.fields)
	if err != nil {
		return err
	}
	var read atomic.Int64
	stop := showScan(a, rows.lines(scan.Streams), &read)
	if columns, ok := rows.table.(columnSource); ok {
		answer.Answer, err = rows.answerColumns(a.ctx, columns, scan, q, &read)
	} else {
		err = addAll(answer, rows.scan(a.ctx, scan), matcher, &read)
	}
	stop()
	if err != nil {
		return s.tooMuch(err)
	}
	return answer.Close()
}

// addAll adds the entries that match to an answer. read counts all entries.
func addAll(answer *answerPrinter, entries iter.Seq2[*schema.Entry, error], matcher *query.Matcher, read *atomic.Int64) error {
	for entry, err := range entries {
		if err != nil {
			return err
		}
		read.Add(1)
		if matcher.Match(entry) {
			if err := answer.Add(entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// print prints the rows that match.
func (s *scanCmd) print(a *app, rows *entries, scan schema.Scan, matcher *query.Matcher) error {
	printer, err := s.open(a.stdout, true, false, rows.fields...)
	if err != nil {
		return err
	}
	if scan.Filter == nil {
		scan.Limit = s.Limit
	}
	printed := 0
	for entry, err := range rows.scan(a.ctx, scan) {
		if err == nil && matcher.Match(entry) {
			err = printer.Print(entry)
			printed++
		}
		if err != nil {
			return errors.Join(err, printer.Close())
		}
		if s.Limit > 0 && printed == s.Limit {
			break
		}
	}
	return printer.Close()
}
