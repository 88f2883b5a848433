package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sluice/doctor"
	"sluice/hbase/checks"
	"sluice/print"
	"sluice/schema"
	"sluice/table/columnar"
)

type doctorCmd struct {
	tableFlags
	archiveFlags
	Layout string `default:"" enum:",typed,packed,flume" placeholder:"LAYOUT" help:"The layout that the table must have: typed, packed or flume (default: any)."`
	Output string `short:"o" default:"text" enum:"text,json" placeholder:"O" help:"text (one line for each step) or json (one object a line)."`
}

// Help returns the extended help text for kong.
func (doctorCmd) Help() string {
	return `    sluice doctor --table hbase://zk1,zk2,zk3/web:accesslog
    HBASE_CONF_DIR=/etc/hbase/conf sluice doctor --table hbase:///web:accesslog --kerberos-keytab sluice.keytab

Checks step by step everything that a run with these flags needs, with the time that
each step takes: the --data directory, log-in, each server of ZooKeeper, master, each region
server, the table's layout and regions, a row that is written, read and deleted on
each of its servers, clocks, the archive. The exit status is 1 if a step failed.`
}

// part checks one thing that a run needs. Failed steps are added to the report; an error ends the
// command.
type part func(ctx context.Context, r *doctor.Report) error

func (d *doctorCmd) Run(a *app) error {
	table, err := d.table(a)
	if err != nil {
		return err
	}
	archive, err := d.archive(a)
	if err != nil {
		return err
	}
	report := &doctor.Report{Show: d.show(a), Explain: func(err error) error { return explainHBase(err, d.Table) }}
	for _, examine := range []part{d.data(a), table, archive} {
		err := examine(a.ctx, report)
		if a.ctx.Err() != nil { // the report shows the step that was interrupted
			return exitError(1)
		}
		if err != nil {
			return err
		}
	}
	if report.Failed() > 0 {
		return exitError(1)
	}
	return nil
}

func (d *doctorCmd) data(a *app) part {
	return func(_ context.Context, r *doctor.Report) error {
		doctor.Directory(r, "data", a.cli.Data)
		return nil
	}
}

func (d *doctorCmd) archive(a *app) (part, error) {
	pattern, err := archivePattern(d.Archive, a.cli.Data)
	if err != nil {
		return nil, err
	}
	if isHDFS(d.Archive) {
		return a.trees.checkHDFS(d.archiveFlags, tree{"--archive", d.Archive, pattern})
	}
	return func(_ context.Context, r *doctor.Report) error {
		doctor.Directory(r, "archive", pattern.Root())
		return nil
	}, nil
}

func (d *doctorCmd) table(a *app) (part, error) {
	if d.onHBase() {
		h, err := a.hbase.locate(d.tableFlags)
		if err != nil {
			return nil, err
		}
		if d.Layout != "" {
			layout, err := schema.NewLayout(d.Layout)
			if err != nil {
				return nil, usageError{err}
			}
			h.options.Layout = &layout
		}
		return func(ctx context.Context, r *doctor.Report) error {
			for _, file := range h.files {
				a.log.Debug("settings read", "path", file)
			}
			return checks.Run(ctx, checks.Subject{URL: h.url, Options: h.options, Kerberos: h.kerberos, TLS: h.tls}, r)
		}, nil
	}
	t, err := a.trees.ofTable(d.tableFlags)
	if err != nil {
		return nil, err
	}
	if d.Layout != "" {
		return nil, usage("--layout is for a table in HBase: a columnar one has a column for each field")
	}
	examine := func(_ context.Context, r *doctor.Report) error {
		doctor.Directory(r, "table", t.pattern.Root())
		return nil
	}
	if isHDFS(t.url) {
		if examine, err = a.trees.checkHDFS(d.archiveFlags, t); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, r *doctor.Report) error {
		if err := examine(ctx, r); err != nil {
			return err
		}
		r.Step("table: files", func() (string, error) { return a.checkColumnarFiles(ctx, t) })
		return nil
	}, nil
}

// checkColumnarFiles reads the footers of a columnar table's files, if the table exists.
func (a *app) checkColumnarFiles(ctx context.Context, t tree) (_ string, err error) {
	if !isHDFS(t.url) && !exists(t.pattern.Root()) {
		return "", doctor.Skip("there is no table yet; the first run makes it")
	}
	table, err := a.trees.readColumnar(ctx, t, columnar.TableOptions{}, columnar.Bounds{})
	if isHDFS(t.url) && errors.Is(err, fs.ErrNotExist) {
		return "", doctor.Skip("there is no table yet; the first run makes it")
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	streams, err := table.Streams(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("readable, of %d logs", len(streams)), nil
}

// show returns a function that prints each result. Errors of printing are ignored, so that the
// checks continue.
func (d *doctorCmd) show(a *app) func(doctor.Result) {
	if d.Output == "json" {
		lines := json.NewEncoder(a.stdout)
		return func(r doctor.Result) { _ = lines.Encode(r) }
	}
	return func(r doctor.Result) {
		took := ""
		if r.Status != doctor.Skipped {
			took = fmt.Sprintf("%.1f ms", float64(r.Took)/float64(time.Millisecond))
		}
		print.Textf(a.stdout, "%-8s %-30s %9s  %s\n", r.Status, r.Step, took, r.Text)
	}
}
