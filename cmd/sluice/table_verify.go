package main

import (
	"errors"
	"slices"

	"sluice/print"
	"sluice/table/columnar"
)

// tableCmd has the commands for the files of a columnar table.
type tableCmd struct {
	Verify tableVerifyCmd `cmd:"" help:"Read every file of a columnar table and print what is wrong."`
}

type tableVerifyCmd struct {
	tableFlags
	Host string `env:"SLUICE_TABLE_HOST" placeholder:"H" help:"Only these web hosts, comma-separated."`
	Day  string `placeholder:"DAY" help:"Only files of this day: 2026-09-03 or 20260903."`
}

// Help returns the detailed help text; kong calls it.
func (tableVerifyCmd) Help() string {
	return `Reads every row of every file and checks checksums, the order of rows, that each line can
be rebuilt from its columns and fills its range of the log, and that each file has the
lines that its metadata lists. The exit status is 1 if anything is wrong. Logs and archive
are not needed; sluice audit compares with those.

    sluice table verify
    sluice table verify --table parquet:hdfs://nn1,nn2/weblogs --day 2026-09-03`
}

func (c *tableVerifyCmd) Run(a *app) (err error) {
	day, err := parseDay(c.Day)
	if err != nil {
		return err
	}
	if c.onHBase() {
		return usage("--table %s: only a columnar table has files\nhint: sluice audit compares a table in HBase with its archive", c.Table)
	}
	t, err := a.trees.ofTable(c.tableFlags)
	if err != nil {
		return err
	}
	files, err := a.trees.read(t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	hosts, partition := splitHosts(c.Host), columnar.PartitionsOf(t.pattern)
	var known []string
	problems := 0
	done, err := columnar.Verify(a.ctx, files, func(name string) bool {
		p := partition(columnar.DirOf(name))
		known = append(known, p.Host)
		return (hosts == nil || hosts.has(p.Host)) && (day.IsZero() || p.Day == day.Format("20060102"))
	}, func(p columnar.Problem) {
		problems++
		print.Textf(a.stdout, "%s: %s\n", p.File, p.Text)
	})
	if err != nil {
		return err
	}
	if err := hosts.check("the table has", slices.Compact(known)); err != nil {
		return err
	}
	print.Textf(a.stdout, "files=%d rows=%d bytes=%d problems=%d\n", done.Files, done.Rows, done.Bytes, problems)
	if problems > 0 {
		return exitError(1)
	}
	return nil
}
