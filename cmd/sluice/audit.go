package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"sluice/audit"
	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/print"
)

type auditCmd struct {
	tableFlags
	archiveFlags
	loadFlags
	Host   string `env:"SLUICE_AUDIT_HOST" placeholder:"H" help:"Only these web hosts, comma-separated."`
	From   string `placeholder:"T" help:"Only lines at or after this time, for example because older files were deleted: 2015-05-17, -90d, RFC 3339."`
	To     string `placeholder:"T" help:"Only lines before this time."`
	Show   int    `default:"10" placeholder:"N" help:"Number of differences of each kind to print for a stream."`
	Repair bool   `help:"Write missing and different rows to the table, archive lines that only a log has, and rewrite archive files without duplicate and damaged ranges. Stop sluice first."`
}

// Help returns the detailed help text; kong calls it.
func (auditCmd) Help() string {
	return `Compares, for every stream, log, archive and table: the log's bytes with the archive's
as far as the log is on this host, and every row of the table with what its line makes,
byte for byte. Prints a line for each stream, its differences below it, and counts; with
--quiet only streams that differ. The exit status is 1 if anything differs.

    sluice audit
    sluice audit --table hbase://zk1,zk2/web:accesslog --archive 'dir:/logs/%Y%m%d/%{host}' --from -90d
    sluice audit --repair

Lines that are not stored yet are no difference. The logs are those in the checkpoint of
--data, or without a checkpoint those in the table's stream directory. --repair compares
again when it is done; the exit status is that of the second comparison. Many missing rows
of a table in HBase are written as files (--load).`
}

func (c *auditCmd) Run(a *app) (err error) {
	if c.Show < 0 {
		return usage("--show must be at least 0")
	}
	if !c.Repair && c.Load != loadAuto {
		return usage("--load %s without --repair: a comparison writes no rows\nhint: leave out --load, or give --repair", c.Load)
	}
	if err := c.loadFlags.check(c.onHBase(), true); err != nil {
		return err
	}
	cfg, err := c.config(a)
	if err != nil {
		return err
	}
	if c.Repair {
		return c.repair(a, cfg)
	}
	archive, err := a.trees.readArchive(c.Archive, cfg.Pattern)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	cfg.Archive = archive
	spool, err := spoolPath(a.cli.Data)
	if err != nil {
		return err
	}
	if cfg.Before, err = audit.Look(a.ctx, cfg.Archive, spool); err != nil {
		return err
	}
	table, err := c.openAudited(a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	cfg.Table = table
	return runAudit(a, cfg)
}

func runAudit(a *app, cfg audit.Config) error {
	began := time.Now()
	report, err := audit.Run(a.ctx, cfg)
	if err != nil {
		return err
	}
	hosts := []string{}
	for _, s := range report.Streams {
		hosts = append(hosts, s.Host)
	}
	if err := hostList(cfg.Hosts).check("there is", hosts); err != nil {
		return err
	}
	printAudit(a.stdout, report, a.cli.Quiet, time.Since(began))
	if report.Differences() > 0 {
		return exitError(1)
	}
	return nil
}

// repair stores what is missing in the archive and the table, and compares again if anything
// differed.
func (c *auditCmd) repair(a *app, cfg audit.Config) (err error) {
	began := time.Now()
	lock, err := lockForRepair(a.cli.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	archive, err := c.openWritable(a, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	if !c.onHBase() {
		return c.repairColumnar(a, cfg, archive)
	}
	table, err := a.hbase.load(c.tableFlags, nil, c.loadFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	if t, ok := table.(*loadedTable); ok {
		cfg.Expect = func(bytes int64) { t.expect(bytes) }
	}
	cfg.Table, cfg.Archive = table, archive
	report, err := audit.Repair(a.ctx, cfg, archive, a.cli.Data)
	if report != nil {
		printAudit(a.stdout, report, true, time.Since(began))
		printRepairs(a.stdout, &report.Repairs)
	}
	if err != nil || report.Differences() == 0 {
		return err
	}
	print.Textln(a.stdout, "compared again:")
	return runAudit(a, cfg)
}

// lockForRepair locks the data directory against a collector. It fails if an earlier collector left
// segments there, because the next one would archive them under names that the repair has given to
// other files.
func lockForRepair(data string) (*os.File, error) {
	lock, err := lockData(data)
	if err != nil {
		return nil, err
	}
	spool, err := spoolPath(data)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	left, err := fs.Glob(os.DirFS(spool), "*/*.gz*")
	left = slices.DeleteFunc(left, func(name string) bool { return strings.HasSuffix(name, segment.StoredSuffix) })
	if err == nil && len(left) > 0 {
		err = usage("an earlier run has left %d segments in %s: start it again with the same flags, let it finish them, and repair then", len(left), spool)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openWritable opens an existing archive for changes.
func (c *auditCmd) openWritable(a *app, cfg audit.Config) (archiveCloser, error) {
	there, err := a.trees.readArchive(c.Archive, cfg.Pattern)
	if err == nil {
		err = there.Close()
	}
	if err != nil {
		return nil, err
	}
	owner := "repair"
	if cfg.Checkpoint != nil {
		owner = cfg.Checkpoint.Collector()
	}
	return a.trees.openArchive(c.archiveFlags, cfg.Pattern, owner, false)
}

// config returns what is to be compared, without the table and the archive.
func (c *auditCmd) config(a *app) (cfg audit.Config, err error) {
	cfg = audit.Config{Hosts: splitHosts(c.Host), Named: c.Show}
	if cfg.From, cfg.To, err = parseSpan(c.From, c.To); err != nil {
		return cfg, err
	}
	if err := a.checkTable(c.tableFlags); err != nil {
		return cfg, err
	}
	if cfg.Pattern, err = archivePattern(c.Archive, a.cli.Data); err != nil {
		return cfg, err
	}
	if cfg.Host, err = os.Hostname(); err != nil {
		return cfg, fmt.Errorf("this host's name: %w", err)
	}
	if cfg.Checkpoint, err = readCheckpoint(a.cli.Data); err != nil {
		return cfg, err
	}
	if cfg.Pruned, err = readPruned(a.cli.Data); err != nil {
		return cfg, err
	}
	cfg.Quarantine, err = a.quarantine.rows()
	return cfg, err
}

// readCheckpoint reads the checkpoint of a data directory. It returns nil if there is none.
func readCheckpoint(data string) (*checkpoint.File, error) {
	path, err := checkpointPath(data)
	if err != nil || !exists(path) {
		return nil, err
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
		print.Textln(w, s)
		for _, d := range s.Named {
			print.Textln(w, "   ", d)
		}
		if more := s.Differences() - int64(len(s.Named)); more > 0 {
			print.Textf(w, "    and %d more (--show)\n", more)
		}
	}
	for _, text := range r.Files {
		print.Textln(w, text)
	}
	for _, l := range r.Losses {
		print.Textln(w, "LOST:", l)
	}
	for _, name := range r.Foreign {
		print.Textln(w, "not written by sluice, left unchanged:", name)
	}
	print.Textf(w, "streams=%d lines=%d bytes=%d rows=%d differing_streams=%d differences=%d seconds=%.2f\n",
		len(r.Streams), lines, bytes, rows, differing, r.Differences(), took.Seconds())
}

func printRepairs(w io.Writer, done *audit.Repairs) {
	for _, x := range []struct {
		what  string
		names []string
	}{{"restored from the log", done.Restored}, {"written again", done.Rewritten}, {"removed, because other files have all of its lines", done.Removed}} {
		for _, name := range x.names {
			print.Textf(w, "%s: %s\n", x.what, name)
		}
	}
	for _, text := range done.Left {
		print.Textln(w, "not repaired:", text)
	}
	print.Textf(w, "rows_written=%d streams_entered=%d files_restored=%d files_rewritten=%d files_removed=%d\n",
		done.Rows, done.Streams, len(done.Restored), len(done.Rewritten), len(done.Removed))
}
