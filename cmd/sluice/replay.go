package main

import (
	"errors"
	"fmt"
	"time"

	"sluice/archive"
	"sluice/audit"
	"sluice/ingest/segment/vfs"
	"sluice/parse"
	"sluice/print"
)

// replay writes the rows of an archive to the table.
func (r *runCmd) replay(a *app, format string) (err error) {
	began := time.Now()
	if r.Once || len(r.Files) > 0 {
		return usage("--from-archive reads an archive and no logs: leave out --once and the logs")
	}
	columns, err := r.columnar(a)
	if err != nil {
		return err
	}
	if r.onHBase() && columns != nil {
		return usage("--from-archive fills one table at a time: leave --columnar out, and run again with --table %s", r.Columnar)
	}
	layout, err := r.layout([]string{format})
	if err != nil {
		return err
	}
	pattern, err := archivePattern(r.FromArchive, a.cli.Data)
	if err != nil {
		return usage("--from-archive: %w", err)
	}
	archive, err := a.trees.readArchive(r.FromArchive, pattern)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	if columns != nil {
		return r.refill(a, format, archive, pattern, *columns)
	}
	table, err := a.hbase.load(r.tableFlags, layout, r.loadFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	cfg := audit.ReplayConfig{Table: table, Archive: archive, Pattern: pattern, Zone: r.Timezone}
	if format != parse.AutoName {
		cfg.Format = format
	}
	replay, err := audit.NewReplay(a.ctx, cfg)
	if err != nil {
		return err
	}
	if t, ok := table.(*loadedTable); ok {
		t.expect(replay.Total())
	}
	shown := showCounts(a, replay.Total(), func() (lines, bytes int64) { return replay.Lines.Load(), replay.Bytes.Load() })
	failed, err := replay.Run(a.ctx)
	shown()
	if err != nil {
		return fmt.Errorf("not every line is in the table; correct this and run again, existing rows are overwritten with the same cells: %w", err)
	}
	return r.replayed(a, failed, replay.Lines.Load(), replay.Bytes.Load(), replay.ParseErrors.Load(), time.Since(began), replay.Files())
}

// replayed prints how many lines and files of an archive were written.
func (r *runCmd) replayed(a *app, failed []string, lines, bytes, parseErrors int64, took time.Duration, files int) error {
	for _, text := range failed {
		print.Textln(a.stderr, "sluice:", text)
	}
	print.Textf(a.stdout, "lines=%d bytes=%d parse_errors=%d seconds=%.2f files=%d failed=%d\n",
		lines, bytes, parseErrors, took.Seconds(), files, len(failed))
	if len(failed) > 0 {
		return exitError(1)
	}
	return nil
}

// refill makes the files of a columnar table from those of an archive.
func (r *runCmd) refill(a *app, format string, from archiveCloser, pattern archive.Pattern, t tree) (err error) {
	began := time.Now()
	if err := vfs.MkdirAll(vfs.OS{}, a.cli.Data, 0o750); err != nil {
		return openError(err)
	}
	owner, err := newCollectorID()
	if err != nil {
		return err
	}
	files, err := a.trees.openColumnar(r.archiveFlags, t, owner, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	pruned, err := readPruned(a.cli.Data)
	if err != nil {
		return err
	}
	cfg := audit.RefillConfig{
		Pruned:  pruned,
		Archive: from, Pattern: pattern, Store: columnTree{files}.Store, Naming: t.pattern, AllLines: r.ColumnarLines == "all", Dir: a.cli.Data, Zone: r.Timezone,
	}
	if format != parse.AutoName {
		cfg.Format = format
	}
	refill, err := audit.NewRefill(a.ctx, cfg)
	if err != nil {
		return err
	}
	shown := showCounts(a, refill.Total(), func() (lines, bytes int64) { return refill.Lines.Load(), refill.Bytes.Load() })
	failed, err := refill.Run(a.ctx)
	shown()
	if err != nil {
		return fmt.Errorf("not every file is in the table\nhint: correct this and run again, existing files are kept: %w", err)
	}
	return r.replayed(a, failed, refill.Lines.Load(), refill.Bytes.Load(), refill.ParseErrors.Load(), time.Since(began), refill.Files())
}
