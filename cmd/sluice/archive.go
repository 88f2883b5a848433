package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/archive"
	"sluice/archive/index"
	"sluice/print"
	"sluice/query"
	"sluice/schema"
)

// archiveCmd groups the commands that read an archive.
type archiveCmd struct {
	Ls     archiveLsCmd     `cmd:"" help:"List the files by host and day."`
	Cat    archiveCatCmd    `cmd:"" help:"Print the lines, byte for byte."`
	Verify archiveVerifyCmd `cmd:"" help:"Read every file and print what is wrong."`
}

// archiveReadFlags select an archive, and the hosts and the day to read from it.
type archiveReadFlags struct {
	URL     string `arg:"" optional:"" name:"archive" help:"The archive, as with --archive."`
	Archive string `placeholder:"URL" help:"The archive: dir:PATTERN with %Y %m %d %H, %{host} and %{label:NAME} (default: dir:DATA/archive/%Y%m%d/%{host}), or hdfs://NAMENODE1,NAMENODE2[:8020]/PATTERN."`
	Host    string `env:"SLUICE_ARCHIVE_HOST" placeholder:"H" help:"Only these web hosts, comma-separated."`
	Day     string `placeholder:"DAY" help:"Only files of this day: 2026-09-03 or 20260903."`
}

// read indexes the headers of the selected files and calls do with the result. The archive is
// closed when do has returned. A host that the archive does not have is an error.
func (f *archiveReadFlags) read(a *app, do func(*index.Catalog, archive.Pattern) error) (err error) {
	if f.URL != "" && f.Archive != "" {
		return usage("the archive is given twice: %s and --archive %s", f.URL, f.Archive)
	}
	day, err := parseDay(f.Day)
	if err != nil {
		return err
	}
	pattern, err := archivePattern(f.URL+f.Archive, a.cli.Data)
	if err != nil {
		return err
	}
	archive, err := a.trees.readArchive(f.URL+f.Archive, pattern)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	hosts := splitHosts(f.Host)
	known := []string{}
	held, err := index.Read(a.ctx, archive, pattern, func(file *index.File) bool {
		if hosts != nil {
			known = append(known, file.Host)
		}
		return (hosts == nil || hosts.has(file.Host)) && (day.IsZero() || file.Time.Truncate(24*time.Hour).Equal(day))
	})
	if err == nil {
		err = hosts.check("the archive has", known)
	}
	if err != nil {
		return err
	}
	return do(held, pattern)
}

// parseDay parses a day as UTC; "" is the zero Time.
func parseDay(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, "20060102"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--day %s: write 2026-09-03 or 20260903", s)
}

type archiveLsCmd struct {
	archiveReadFlags
	Ranges bool `help:"Print the byte ranges of each stream, too."`
}

// Help returns the extended help text for kong.
func (archiveLsCmd) Help() string {
	return `    sluice archive ls
    sluice archive ls --host web01 --day 2026-09-03 --ranges
    sluice archive ls 'dir:/logs/%Y%m%d/%{host}'

Days are those of the files' names, in the logs' own zone. Files that sluice did
not write are listed at the end.`
}

func (c *archiveLsCmd) Run(a *app) error {
	return c.read(a, func(held *index.Catalog, _ archive.Pattern) error { return c.list(a, held) })
}

func (c *archiveLsCmd) list(a *app, held *index.Catalog) error {
	groups := held.Groups()
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	print.Textf(w, "day\thost\tfiles\tstreams\tlines\tbytes\tcompressed\t\n")
	for _, g := range groups {
		print.Textf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t\n", g.DayText(), g.Host, g.Files, len(g.Ranges), g.Lines, g.LogBytes, g.Bytes)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if c.Ranges {
		printRanges(a.stdout, held, groups)
	}
	for i := range held.Files {
		if f := &held.Files[i]; f.Foreign {
			print.Textf(a.stdout, "not written by sluice: %s, %d bytes\n", f.Name, f.Bytes)
		}
	}
	return nil
}

func printRanges(w io.Writer, held *index.Catalog, groups []*index.Group) {
	for _, g := range groups {
		print.Textf(w, "%s %s\n", g.DayText(), g.Host)
		for _, id := range held.StreamIDs() {
			if ranges := g.Ranges[id]; len(ranges) > 0 {
				e := &held.Streams[id].Entry
				print.Textf(w, "  %s %s: %s\n", id, e.Path, joinRanges(ranges))
			}
		}
	}
}

func joinRanges(ranges []schema.Range) string {
	text := make([]string, len(ranges))
	for i, r := range ranges {
		text[i] = r.String()
	}
	return strings.Join(text, " ")
}

type archiveCatCmd struct {
	archiveReadFlags
	From string `placeholder:"T" help:"Lines at or after this time: 2015-05-17, '2015-05-17 10:05', RFC 3339, now, today, yesterday, -2h."`
	To   string `placeholder:"T" help:"Lines before this time."`
}

// Help returns the extended help text for kong.
func (archiveCatCmd) Help() string {
	return `    sluice archive cat --host web01 --day 2026-09-03 | grep ' 500 '

Prints the lines in the order of the files, byte for byte as in the log, each once even
if the archive has it twice. All checksums are verified.`
}

func (c *archiveCatCmd) Run(a *app) error {
	var cat index.Cat
	var err error
	if cat.From, cat.To, err = parseSpan(c.From, c.To); err != nil {
		return err
	}
	return c.read(a, func(held *index.Catalog, _ archive.Pattern) error {
		w := bufio.NewWriterSize(a.stdout, 1<<20)
		return errors.Join(held.Cat(a.ctx, w, cat), w.Flush())
	})
}

// parseSpan parses --from and --to into nanoseconds of Unix time; 0 is no bound.
func parseSpan(from, to string) (start, end int64, err error) {
	now := time.Now()
	if from != "" {
		if start, err = query.ParseTime(from, now, time.Local); err != nil {
			return 0, 0, usage("--from: %w", err)
		}
	}
	if to != "" {
		if end, err = query.ParseTime(to, now, time.Local); err != nil {
			return 0, 0, usage("--to: %w", err)
		}
	}
	if end > 0 && start >= end {
		return 0, 0, usage("--from is not before --to: no line can be between them")
	}
	return start, end, nil
}

type archiveVerifyCmd struct{ archiveReadFlags }

// Help returns the extended help text for kong.
func (archiveVerifyCmd) Help() string {
	return `Reads every file and compares checksums, line counts, and the host and day of every
line with the file's name; then the ranges of each stream: a gap between two ranges,
or a range that is there twice, is an error. A missing beginning of a log is reported but
is no error, as old files may have been deleted. With --host or --day, gaps between files
that are left out are not reported. The exit status is 1 if anything is wrong.`
}

func (c *archiveVerifyCmd) Run(a *app) error {
	began := time.Now()
	return c.read(a, func(held *index.Catalog, pattern archive.Pattern) error { return c.verify(a, held, pattern, began) })
}

func (c *archiveVerifyCmd) verify(a *app, held *index.Catalog, pattern archive.Pattern, began time.Time) error {
	problems := 0
	err := held.Verify(a.ctx, pattern, func(p index.Problem) {
		if c.Day != "" && p.File == "" { // a gap, which the excluded days may cause
			return
		}
		problems++
		print.Textln(a.stdout, p)
	})
	if err != nil {
		return err
	}
	var lines, logBytes int64
	foreign, later := 0, 0
	for i := range held.Files {
		f := &held.Files[i]
		lines, logBytes = lines+f.Lines, logBytes+f.LogBytes
		if f.Foreign {
			foreign++
			print.Textf(a.stdout, "not written by sluice, left unchanged: %s\n", f.Name)
		}
	}
	for _, id := range held.StreamIDs() {
		if s := held.Streams[id]; held.Begin(s) > 0 && !s.Entry.Sparse && c.Day == "" {
			later++
			print.Textf(a.stdout, "begins at byte %d, earlier lines are not in this archive: stream %s %s %s\n", held.Begin(s), id, s.Entry.Host, s.Entry.Path)
		}
	}
	print.Textf(a.stdout, "files=%d members=%d streams=%d lines=%d bytes=%d problems=%d foreign=%d begin_later=%d seconds=%.2f\n",
		len(held.Files)-foreign, len(held.Members), len(held.Streams), lines, logBytes, problems, foreign, later, time.Since(began).Seconds())
	if problems > 0 {
		return exitError(1)
	}
	return nil
}
