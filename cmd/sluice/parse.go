package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"sluice/ingest/logfile"
	"sluice/parse"
	"sluice/print"
	"sluice/schema"
)

type parseCmd struct {
	formatFlags
	outputFlags
	Host       string   `placeholder:"NAME" help:"The web host that wrote the logs (default: this one)."`
	Follow     bool     `short:"F" help:"Go on as the one file grows, through rotations, as tail -F does."`
	ApacheConf string   `placeholder:"FILE" help:"List the access logs of an httpd.conf, each with the command that takes it in."`
	ServerRoot string   `placeholder:"DIR" help:"With --apache-conf: the folder that stands for ServerRoot, for a copy of a configuration."`
	Define     []string `short:"D" placeholder:"NAME" help:"With --apache-conf: what httpd is started with, NAME or NAME=VALUE."`
	Files      []string `arg:"" optional:"" name:"file" help:"Logs; - is standard input. Names ending in .gz, .zst or .bz2 are read as what they hold."`
}

// Help is kong's longer help.
func (parseCmd) Help() string {
	return `Nothing is stored. A line that does not follow its format is printed with the fields
that could be read and parse_error; the exit status stays 0.

    sluice parse access.log
    sluice parse --format '%h %l %u %t "%r" %>s %b %D' --output csv - <access.log
    sluice parse --pattern '(?P<client>\S+) .* (?P<status>\d+)$' app.log
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
		return usage("--server-root and --define go with --apache-conf")
	}
	if len(p.Files) == 0 {
		return usage("no log to read: name files, or - for standard input")
	}
	text, zone, err := p.text()
	if err != nil {
		return err
	}
	if p.Follow && (len(p.Files) != 1 || p.Files[0] == "-") {
		return usage("--follow takes one file")
	}
	if p.Host == "" {
		if p.Host, err = os.Hostname(); err != nil {
			return usage("this host's name is not known (%w): give it with --host", err)
		}
	}
	for _, name := range p.Files { // all of them, before anything is printed
		if name != "-" {
			if _, err := logfile.Look(name); err != nil {
				return usageError{err}
			}
		}
	}
	out := &recordWriter{cmd: p, app: a, text: text, zone: zone}
	for _, name := range p.Files {
		if err := out.file(name); err != nil {
			return errors.Join(err, out.close())
		}
	}
	return out.close()
}

// recordWriter prints the records of one file after another.
type recordWriter struct {
	cmd     *parseCmd
	app     *app
	text    string // what formatFlags say
	zone    *time.Location
	printer print.Printer
	rec     schema.Record
}

func (w *recordWriter) file(name string) error {
	r := io.NopCloser(w.app.stdin)
	if name != "-" {
		var err error
		if r, err = logfile.Open(name); err != nil {
			return err
		}
	}
	defer r.Close()
	head := make([]byte, parse.HeadBytes)
	var n int
	var err error
	if w.text == parse.AutoName && !w.cmd.Follow {
		if n, err = io.ReadFull(r, head); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s: %w", name, err)
		}
	} else if w.text == parse.AutoName {
		n, _ = io.ReadFull(r, head) // to choose a format only: following starts over
	}
	format, err := w.format(name, head[:n])
	if err != nil {
		return err
	}
	if w.printer == nil {
		if w.printer, err = w.cmd.open(w.app.stdout, false, w.cmd.Follow, format.Fields()); err != nil {
			return err
		}
	}
	entry := schema.Entry{Stream: &schema.Stream{Host: w.cmd.Host, Path: name, Format: format.String()}, Record: &w.rec}
	each := func(line []byte, offset int64) error {
		format.Parse(line, &w.rec)
		entry.Offset = offset
		return w.printer.Print(&entry)
	}
	if w.cmd.Follow {
		return follow(w.app.ctx, name, each)
	}
	return logfile.ReadLines(w.app.ctx, io.MultiReader(bytes.NewReader(head[:n]), r), each)
}

// format chooses the format of a file whose first bytes are head.
func (w *recordWriter) format(name string, head []byte) (*parse.Format, error) {
	if w.text != parse.AutoName {
		return parse.Lookup(w.text, w.zone)
	}
	f, err := parse.Auto(head, w.zone)
	if err != nil && len(head) > 0 {
		w.app.log.Warn("the log's format is not known", "log", name, "as", f.String(), "error", err)
	}
	return f, nil
}

func (w *recordWriter) close() error {
	if w.printer == nil {
		return nil
	}
	return w.printer.Close()
}
