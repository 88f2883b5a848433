package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sluice/audit"
	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
)

type auditCmd struct {
	tableFlags
	Archive string `placeholder:"URL" help:"The archive: dir:PATTERN with %Y %m %d %H and %{host} (default: dir:DATA/archive/%Y%m%d/%{host})."`
	Host    string `env:"SLUICE_AUDIT_HOST" placeholder:"H" help:"Only these web hosts, comma-separated."`
	From    string `placeholder:"T" help:"Only lines from this time on, as where older files were deleted: 2015-05-17, -90d, RFC 3339."`
	To      string `placeholder:"T" help:"Only lines before this time."`
	Show    int    `default:"10" placeholder:"N" help:"How many differences of each kind are named for a stream."`
}

// Help is kong's longer help.
func (auditCmd) Help() string {
	return `Compares, for every stream, log, archive and table: the log's bytes with the archive's
as far as the log is on this host, and every row of the table with what its line makes,
byte for byte. Prints a line for each stream, what differs below it, and counts; with
--quiet only streams that differ. The exit status is 1 if anything differs.

Lines that are not stored yet are no difference. With --data the logs are those that
the folder's checkpoint knows; without it, those that the table's directory names.`
}

func (c *auditCmd) Run(a *app) (err error) {
	began := time.Now()
	cfg, table, err := c.open(a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	report, err := audit.Run(a.ctx, cfg)
	if err != nil {
		return err
	}
	printAudit(a.stdout, report, a.cli.Quiet, time.Since(began))
	if report.Differences() > 0 {
		return exitError(1)
	}
	return nil
}

// open opens what is compared. The table is the caller's to close.
func (c *auditCmd) open(a *app) (cfg audit.Config, t table, err error) {
	if c.Show < 0 {
		return cfg, nil, usage("--show takes 0 or more")
	}
	cfg = audit.Config{Hosts: splitHosts(c.Host), Named: c.Show, SpoolDir: filepath.Join(a.cli.Data, "spool")}
	if cfg.From, cfg.To, err = parseSpan(c.From, c.To); err != nil {
		return cfg, nil, err
	}
	if cfg.Pattern, err = archivePattern(c.Archive, a.cli.Data); err != nil {
		return cfg, nil, err
	}
	if cfg.Archive, err = readArchive(cfg.Pattern); err != nil {
		return cfg, nil, err
	}
	if cfg.Host, err = os.Hostname(); err != nil {
		return cfg, nil, fmt.Errorf("this host's name: %w", err)
	}
	if cfg.Checkpoint, err = readCheckpoint(a.cli.Data); err != nil {
		return cfg, nil, err
	}
	if cfg.Quarantine, err = a.readQuarantine(); err != nil {
		return cfg, nil, err
	}
	t, err = a.openTable(c.tableFlags)
	cfg.Table = t
	return cfg, t, err
}

// readCheckpoint reads the checkpoint of a data folder; nil when there is none.
func readCheckpoint(data string) (*checkpoint.File, error) {
	path := filepath.Join(data, "checkpoint")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return checkpoint.Open(vfs.OS{}, path, "")
}

func printAudit(w io.Writer, r *audit.Report, quiet bool, took time.Duration) {
	var lines, rows, bytes, differing int64
	for _, s := range r.Streams {
		lines, rows, bytes = lines+s.LinesRead, rows+s.Rows+s.Quarantined, bytes+s.ArchiveBytes
		if s.Differences() > 0 {
			differing++
		} else if quiet {
			continue
		}
		fmt.Fprintln(w, s)
		for _, d := range s.Named {
			fmt.Fprintln(w, "   ", d)
		}
		if more := s.Differences() - int64(len(s.Named)); more > 0 {
			fmt.Fprintf(w, "    and %d more (--show)\n", more)
		}
	}
	for _, text := range r.Files {
		fmt.Fprintln(w, text)
	}
	for _, name := range r.Foreign {
		fmt.Fprintln(w, "not of sluice, left alone:", name)
	}
	fmt.Fprintf(w, "streams=%d lines=%d bytes=%d rows=%d differing_streams=%d differences=%d seconds=%.2f\n",
		len(r.Streams), lines, bytes, rows, differing, r.Differences(), took.Seconds())
}
