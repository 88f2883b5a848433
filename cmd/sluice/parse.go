package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"sluice/ingest/logfile"
	"sluice/ingest/tail"
	"sluice/parse"
	"sluice/print"
	"sluice/query"
	"sluice/schema"
)

type parseCmd struct {
	formatFlags
	excludeFlags
	outputFlags
	questionFlags
	Limit int `placeholder:"N" help:"With --by or --top: print at most this number of groups."`
	parseFollowFlags
	Host       string   `placeholder:"NAME" help:"The web host that wrote the logs (default: this one)."`
	Source     []source `env:"SLUICE_PARSE_SOURCE" sep:"none" placeholder:"SPEC" help:"Logs with a format of their own, in YAML: {path: /log/shop/*.log, format: combined, timezone: Europe/Berlin}. May be repeated."`
	ApacheConf string   `placeholder:"FILE" help:"List the access logs of an httpd.conf, each with the command that reads it."`
	ServerRoot string   `placeholder:"DIR" help:"With --apache-conf: directory to read instead of ServerRoot, for a copy of a configuration."`
	Define     []string `short:"D" placeholder:"NAME" help:"With --apache-conf: a -D parameter of httpd, NAME or NAME=VALUE."`
	Files      []string `arg:"" optional:"" name:"file" help:"Logs, globs of them (**, {a,b}), or re:DIR/REGEX; - is standard input. Files compressed with gzip, zstd, bzip2 or xz are read, too, whatever their name."`
}

// Help returns the detailed help text; kong calls it.
func (parseCmd) Help() string {
	return `Prints records without storing them. A line that does not match its format is printed
with the fields that could be read and parse_error; the exit status remains 0. With
--follow, records are printed as the logs grow, through rotations, until the process is
stopped or standard output is closed. --fields host,file,offset,... adds the line's origin.

    sluice parse access.log
    sluice parse --follow --output avrojson 're:/log/access_.*'
    sluice parse --format '%h %l %u %t "%r" %>s %b %D' --output csv - <access.log
    sluice parse --pattern '(?P<client>\S+) .* (?P<status>\d+)$' app.log
    sluice parse --by status_class,hour access.log
    sluice parse --top url_path --limit 20 '/log/**/access*.gz'
    sluice parse --apache-conf /etc/apache2/apache2.conf`
}

func (p *parseCmd) Run(a *app) error {
	if p.ApacheConf != "" {
		if len(p.Files) > 0 || p.Follow {
			return usage("--apache-conf lists logs and reads none: leave files and --follow out")
		}
		return p.listApacheLogs(a)
	}
	if p.ServerRoot != "" || len(p.Define) > 0 {
		return usage("--server-root and --define require --apache-conf")
	}
	if err := p.parseFollowFlags.check(); err != nil {
		return err
	}
	question, err := p.question(p.Limit)
	if err != nil {
		return err
	}
	if p.Limit < 0 || question == nil && p.Limit > 0 {
		return usage("--limit requires --by or --top and must be at least 0; 0 is no limit")
	}
	if question != nil && p.Follow {
		return usage("an answer is printed when all is read: leave --follow out")
	}
	if p.Output == parquetOutput && p.Follow {
		return usage("a Parquet file can be read when it is complete: leave --follow out")
	}
	text, _, err := p.text()
	if err != nil {
		return err
	}
	if err := p.excludeFlags.check(); err != nil {
		return err
	}
	if p.Host == "" {
		if p.Host, err = os.Hostname(); err != nil {
			return usage("cannot find the name of this host: %w\nhint: give it with --host", err)
		}
	}
	sources, err := sourcesOf(p.Files, p.Source, p.Exclude, text, p.Timezone, nil)
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return usage("no log to read: name files, or - for standard input")
	}
	if p.Follow {
		if slices.Contains(p.Files, stdinName) {
			return usage("--follow is for files: leave it out to read standard input to its end")
		}
		return p.follow(a, sources)
	}
	logs, err := p.logs(sources)
	if err != nil {
		return err
	}
	out := &recordWriter{cmd: p, app: a, ahead: logs, question: question}
	var failed error
	for _, l := range logs {
		err := out.file(l)
		if unread := (*unreadError)(nil); errors.As(err, &unread) {
			print.Textln(a.stderr, "sluice:", err)
			failed = exitError(1)
		} else if err != nil {
			if question != nil { // a partial answer would be wrong
				return err
			}
			return errors.Join(err, out.close())
		}
	}
	return errors.Join(out.close(), failed)
}

// stdinName is the file argument for standard input.
const stdinName = "-"

// input is a log to print and the format and time zone of its lines.
type input struct {
	path, format string
	zone         *time.Location
}

// logs finds the files of all sources before anything is printed.
func (p *parseCmd) logs(sources []tail.Source) (logs []input, err error) {
	for _, s := range sources {
		zone, err := time.LoadLocation(s.Zone)
		if err != nil {
			return nil, usage("--timezone: %w", err)
		}
		paths := []string{s.Pattern}
		if s.Pattern != stdinName {
			if paths, err = s.Paths(); err != nil {
				return nil, usageError{err}
			}
		}
		for _, path := range paths {
			if path != stdinName {
				l, err := logfile.Look(path)
				if err != nil {
					return nil, usageError{err}
				}
				if logfile.Excluded(p.Exclude, l.Path) {
					continue
				}
			}
			logs = append(logs, input{path, s.Format, zone})
		}
	}
	if len(logs) == 0 {
		return nil, usage("--exclude matches every file that is named, so none is left")
	}
	return logs, nil
}

// unreadError is an error of reading one file. The command continues with the next file.
type unreadError struct{ error }

func (e *unreadError) Unwrap() error { return e.error }

// recordWriter parses files one after another and prints their records or adds them to an answer.
type recordWriter struct {
	cmd      *parseCmd
	app      *app
	question *query.Question // nil: the records themselves are printed
	printer  print.Printer
	columns  fixedColumns
	ahead    []input // all logs, whose formats determine the columns
	rec      schema.Record
}

func (w *recordWriter) file(l input) error {
	open := logfile.Open
	if l.path == stdinName {
		open = func(string) (io.ReadCloser, error) { return logfile.NewReader("standard input", w.app.stdin) }
	}
	r, err := open(l.path)
	if err != nil {
		return &unreadError{err}
	}
	defer r.Close()
	head := make([]byte, parse.HeadBytes)
	var n int
	if l.format == parse.AutoName {
		n, _ = io.ReadFull(r, head) // a read error is returned again after these bytes
	}
	format, err := w.format(l, head[:n])
	if err != nil {
		return err
	}
	if w.printer == nil {
		if err := w.open(format); err != nil {
			return err
		}
	}
	w.columns.check(l.path, format)
	entry := schema.Entry{Stream: &schema.Stream{Host: w.cmd.Host, Path: l.path, Format: format.String(), Zone: l.zone.String()}, Record: &w.rec}
	log := &reading{Reader: io.MultiReader(bytes.NewReader(head[:n]), r)}
	err = logfile.ReadLines(w.app.ctx, log, func(line []byte, offset int64) error {
		format.Parse(line, &w.rec)
		entry.Offset = offset
		return w.printer.Print(&entry)
	})
	if err != nil && err == log.err {
		return &unreadError{err}
	}
	return err
}

// open opens the printer. It is called when the format of the first file is known.
func (w *recordWriter) open(format *parse.Format) (err error) {
	if w.question != nil {
		answer, err := w.cmd.answerOf(w.app, w.cmd.outputFlags, *w.question, append([][]schema.Field{format.Fields()}, w.fieldsOf(w.ahead)...))
		if err == nil {
			w.printer = answer
		}
		return err
	}
	fields := append([][]schema.Field{format.Fields()}, w.fieldsAhead()...)
	if w.printer, err = w.cmd.outputFlags.open(w.app.stdout, false, false, fields...); err != nil {
		return err
	}
	w.columns = w.cmd.fixedColumns(w.app, print.Union(fields...))
	return nil
}

// reading keeps the last read error of a log, to distinguish it from errors of printing.
type reading struct {
	io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.err = err
	return n, err
}

// format returns the format of a file that begins with head. If no known format matches, the lines
// are printed raw.
func (w *recordWriter) format(l input, head []byte) (*parse.Format, error) {
	if l.format != parse.AutoName {
		return parse.Lookup(l.format, l.zone)
	}
	f, err := parse.Auto(head, l.zone)
	if err != nil && len(head) > 0 {
		w.app.log.Warn("log format not recognized, lines are printed raw only", "path", l.path, "format", f.String(), "err", err)
	}
	return f, nil
}

// fieldsAhead returns the fields of the formats of all logs if the columns of the output depend on
// them. Logs that cannot be read are omitted: their error is reported when they are printed. So is
// standard input, which can be read only once.
func (w *recordWriter) fieldsAhead() (fields [][]schema.Field) {
	if kind := w.cmd.kind(w.app.stdout); len(w.cmd.Fields) == 0 && (kind == "json" || kind == "raw") {
		return nil
	}
	return w.fieldsOf(w.ahead)
}

func (w *recordWriter) fieldsOf(logs []input) (fields [][]schema.Field) {
	seen := map[string]bool{}
	for _, l := range logs {
		format, err := formatAhead(l)
		if err == nil && !seen[format.String()] {
			seen[format.String()] = true
			fields = append(fields, format.Fields())
		}
	}
	return fields
}

func formatAhead(l input) (*parse.Format, error) {
	if l.format != parse.AutoName {
		return parse.Lookup(l.format, l.zone)
	}
	if l.path == stdinName {
		return nil, errors.New("standard input can be read once only")
	}
	r, err := logfile.Open(l.path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	head := make([]byte, parse.HeadBytes)
	n, _ := io.ReadFull(r, head) // an error after these bytes does not matter here
	format, err := parse.Auto(head[:n], l.zone)
	if errors.Is(err, parse.ErrFormat) {
		return format, nil // the lines are printed raw
	}
	return format, err
}

func (w *recordWriter) close() error {
	if w.printer == nil {
		return nil
	}
	return w.printer.Close()
}
