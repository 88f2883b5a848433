package main

import (
	"context"
	"errors"
	"time"

	"sluice/audit"
	"sluice/hdfs"
	"sluice/print"
	"sluice/schema"
)

// unrepairedTable is a columnar table whose rows are repaired after the archive, by making
// its files again.
type unrepairedTable struct{ table }

func (unrepairedTable) Put(context.Context, *schema.Rows) error { return nil }

// repairColumnar mends the archive, makes the files of the columnar table from it, and
// compares again where anything differed.
func (c *auditCmd) repairColumnar(a *app, cfg audit.Config, to archive) (err error) {
	began := time.Now()
	t, err := a.tableTree(c.tableFlags)
	if err != nil {
		return err
	}
	table, err := a.openTable(c.tableFlags)
	if err != nil {
		return err
	}
	cfg.Table, cfg.Archive = unrepairedTable{table}, to
	report, err := audit.Repair(a.ctx, cfg, to, a.cli.Data)
	err = errors.Join(err, table.Close())
	if report != nil {
		printAudit(a.stdout, report, true, time.Since(began))
		printRepairs(a.stdout, &report.Repairs)
	}
	if err != nil || report.Differences() == 0 {
		return err
	}
	if err := c.refill(a, cfg, t); err != nil {
		return err
	}
	print.Textln(a.stdout, "compared again:")
	if table, err = a.openTable(c.tableFlags); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	cfg.Table = table
	return runAudit(a, cfg)
}

// refill makes the files of the columnar table again; those with other bytes are replaced.
func (c *auditCmd) refill(a *app, cfg audit.Config, t tree) (err error) {
	owner := "repair"
	if cfg.Checkpoint != nil {
		owner = cfg.Checkpoint.Collector()
	}
	files, err := a.openColumnar(c.archiveFlags, t, owner, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	refill, err := audit.NewRefill(a.ctx, audit.RefillConfig{
		Archive: cfg.Archive, Pattern: cfg.Pattern, Naming: t.pattern, Dir: a.cli.Data,
		Store: func(ctx context.Context, localPath, name string) error {
			err := files.Store(ctx, localPath, name)
			if errors.Is(err, hdfs.ErrConflict) {
				err = files.Replace(ctx, localPath, name)
			}
			return err
		},
	})
	if err != nil {
		return err
	}
	failed, err := refill.Run(a.ctx)
	for _, text := range failed {
		print.Textln(a.stdout, "left as it is:", text)
	}
	return err
}
