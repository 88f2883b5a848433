package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"sluice/ingest"
	"sluice/ingest/collector"
	"sluice/ingest/logfile"
	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/print"
)

// formatFlags select the format of lines.
type formatFlags struct {
	Format   string `default:"auto" placeholder:"F" help:"LogFormat string, or a name: auto (recognized from the first lines), ${formats}. With the prefix syslog:, cri: or docker: for lines in such an envelope."`
	Pattern  string `placeholder:"RE" help:"Regular expression with named groups, (?P<status>\\d+), instead of a LogFormat."`
	Timezone string `placeholder:"ZONE" help:"Time zone of times without one, such as Europe/Berlin (default UTC)."`
}

// text returns the format for parse.Lookup, or "auto". It returns an error if the flags contradict
// each other or the format is invalid.
func (f formatFlags) text() (string, *time.Location, error) {
	zone, err := time.LoadLocation(f.Timezone)
	if err != nil {
		return "", nil, usage("--timezone: %w", err)
	}
	text := parse.FromConfig(f.Format)
	if parse.IsDirective(text) {
		return "", nil, usage("--format: %q is not a whole LogFormat directive\nhint: copy it from LogFormat to its closing quote, on one line", text)
	}
	if f.Pattern != "" {
		if f.Format != parse.AutoName {
			return "", nil, usage("--format and --pattern exclude each other\nhint: give one of them")
		}
		text = parse.PatternPrefix + f.Pattern
	}
	if text == parse.AutoName {
		return text, zone, nil
	}
	if _, err := parse.Lookup(text, zone); err != nil {
		return "", nil, usageError{err}
	}
	return text, zone, nil
}

func formatNames() []string { return parse.Names() }

type runCmd struct {
	formatFlags
	excludeFlags
	storeFlags
	followFlags
	statusFlags
	loadFlags
	FromArchive string   `placeholder:"URL" help:"Write the lines of an archive to the table, with their original keys and cells; no log is read. It can be repeated without effect."`
	Once        bool     `help:"Read each log to its current end, store it, and stop. The next run continues there."`
	Host        string   `placeholder:"NAME" help:"The web host that wrote the logs (default: this one)."`
	Files       []string `arg:"" optional:"" name:"file" help:"Logs, globs of them (**, {a,b}), or re:DIR/REGEX. With --once, files compressed with gzip, zstd, bzip2 or xz are read, too, whatever their name."`
}

// Help returns the detailed help text; kong calls it.
func (runCmd) Help() string {
	return `Reads Apache access logs and stores every line twice: as a row of typed cells in a
table, and byte for byte in a gzip archive by date and host. Without --table and
--archive both are directories below --data, and no server is needed:

    sluice run --once /var/log/apache2/access.log
    sluice scan --status 5xx --limit 10

With --once, each log is read to its current end. Without it, logs are followed as they
grow, through every kind of rotation, and new logs are found:

    sluice run --apache-conf /etc/apache2/apache2.conf
    sluice run '/var/log/apache2/*access*.log'
    sluice run 're:/log/access_.*' --source '{path: /log/shop/*.log, format: combined, labels: {site: shop}}'

A lost table can be rebuilt from the archive alone:

    sluice run --from-archive 'dir:/logs/%Y%m%d/%{host}' --table hbase://zk1,zk2/web:accesslog

After a kill at any moment and a restart, every line is stored exactly once. The exit
status is 0 only if every line that was read is stored.`
}

func (r *runCmd) Run(a *app) error {
	format, _, err := r.text()
	if err != nil {
		return err
	}
	if err := r.loadFlags.check(r.onHBase(), r.Once || r.FromArchive != ""); err != nil {
		return err
	}
	if r.FromArchive != "" {
		return r.replay(a, format)
	}
	if r.Host == "" {
		if r.Host, err = os.Hostname(); err != nil {
			return usage("cannot find the name of this host: %w\nhint: give it with --host", err)
		}
	}
	if err := segment.CheckHost(r.Host); err != nil {
		return usageError{err}
	}
	if err := errors.Join(r.checkRolls(), r.statusFlags.check(), r.excludeFlags.check()); err != nil {
		return err
	}
	if !r.Once {
		return r.follow(a, format)
	}
	if r.StatusListen != "" {
		return usage("--status-listen is for following: leave out --once")
	}
	if r.ApacheConf != "" {
		return usage("--apache-conf is for following: with --once, name the logs; sluice parse --apache-conf lists them")
	}
	if len(r.Source) > 0 {
		return usage("--source cannot be used with --once\nhint: name the logs and give --format")
	}
	if len(r.Files) == 0 {
		return usage("no logs given\nhint: name them: sluice run --once /var/log/apache2/access.log")
	}
	logs, failed, err := r.expand(r.Files)
	if err != nil {
		return err
	}
	return r.once(a, format, logs, failed)
}

// once reads every log to its present end. failed has the logs that cannot be opened.
func (r *runCmd) once(a *app, format string, logs []logfile.Log, failed []error) (err error) {
	began := time.Now()
	s, err := r.open(a, storeOptions{formats: []string{format}, load: r.loadFlags, logs: logs})
	if a.interrupted(err) {
		return exitError(1)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	shown := showProgress(a, s.collector, logs)
	result, err := ingest.Once(a.ctx, ingest.OnceConfig{
		Checkpoint: s.checkpoint, Collector: s.collector, Host: r.Host, Format: format, Zone: r.Timezone, Labels: r.Label, Log: a.log,
	}, logs)
	interrupted := errors.Is(err, context.Canceled)
	if interrupted { // what was read is stored, even when the user had enough
		err = nil
	}
	err = s.finish(a.ctx, err)
	shown()
	if err != nil {
		return notStored(err)
	}
	result.Failed = append(failed, result.Failed...)
	for _, err := range result.Failed {
		print.Textln(a.stderr, "sluice:", err)
	}
	r.summary(a.stdout, &s.collector.Counters, result, time.Since(began))
	if interrupted {
		print.Textln(a.stderr, "sluice: interrupted; run again to continue")
	}
	if interrupted || len(result.Failed) > 0 {
		return exitError(1)
	}
	return nil
}

// interrupted reports whether the user interrupted the run before a line was read: while the table
// was unavailable, or what an earlier run left was being stored. Nothing is lost.
func (a *app) interrupted(err error) bool {
	if a.ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return false
	}
	print.Textln(a.stderr, "sluice: interrupted before it read any line: the table did not answer yet, or lines of an earlier run were being stored; nothing is lost, run again to continue")
	return true
}

func notStored(err error) error {
	return fmt.Errorf("not every line is stored; correct this and run again, the run continues from there: %w", err)
}

// summary prints the last line of a run.
func (r *runCmd) summary(w io.Writer, c *collector.Counters, result ingest.OnceResult, took time.Duration) {
	print.Textf(w, "lines=%d bytes=%d rows=%d parse_errors=%d seconds=%.2f files=%d failed=%d earlier_bytes=%d archive_files=%d\n",
		c.Lines.Load(), c.Bytes.Load(), c.Rows.Load(), c.ParseErrors.Load(), took.Seconds(),
		result.Files, len(result.Failed), result.EarlierBytes, c.Segments.Load())
}
