package main

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"sluice/audit"
	"sluice/parse"
	"sluice/print"
	"sluice/schema"
	"sluice/table/columnar"
)

// auditedTable adapts a columnar table to an audit, which compares rows: it rebuilds the lines from
// the columns and encodes the rows of these lines. Put does nothing: the table is repaired after
// the archive, by writing files again.
type auditedTable struct {
	*columnarTable
	streams map[schema.StreamID]*auditedStream
}

type auditedStream struct {
	encoder *schema.RowEncoder
}

// openAudited opens the table that is compared, in HBase or columnar.
func (c *auditCmd) openAudited(a *app) (table, error) {
	if c.onHBase() {
		return a.openTable(c.tableFlags)
	}
	t, err := a.trees.ofTable(c.tableFlags)
	if err != nil {
		return nil, err
	}
	return openAuditedTree(a, t, nil)
}

// openAuditedTree opens a columnar table for an audit, without the files named in without.
func openAuditedTree(a *app, t tree, without map[string]bool) (*auditedTable, error) {
	opened, err := a.trees.readColumnar(a.ctx, t, columnar.TableOptions{Skip: without}, columnar.Bounds{})
	if err != nil {
		return nil, err
	}
	audited := &auditedTable{opened, map[schema.StreamID]*auditedStream{}}
	streams, err := opened.Streams(a.ctx)
	for i := range streams {
		var format *parse.Format
		if format, err = parse.OfStream(&streams[i].Stream); err != nil {
			break
		}
		audited.streams[streams[i].ID] = &auditedStream{opened.Layout().NewRowEncoder(&streams[i].Stream, format.Fields())}
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return audited, nil
}

func (t *auditedTable) Put(context.Context, *schema.Rows) error { return nil }

// Scan yields the rows that are encoded from the lines, in no order. A row with a column that
// differs from its line has an additional cell that no line can produce, so that the audit finds a
// difference. A row is valid until the next.
func (t *auditedTable) Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error] {
	return func(yield func(*schema.Row, error) bool) {
		w := columnar.Want{From: max(s.From, 0), To: s.To, Streams: s.Streams}
		rows := auditedRows{streams: t.streams, yield: yield}
		if err := t.InTurn(ctx, w, rows.batch); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped ends a scan whose consumer does not need more rows.
var errStopped = errors.New("stopped")

// auditedRows encodes batches as rows.
type auditedRows struct {
	streams map[schema.StreamID]*auditedStream
	yield   func(*schema.Row, error) bool
	entry   schema.Entry
	rows    schema.Rows
}

func (r *auditedRows) batch(b *columnar.Batch, selected columnar.Selection) error {
	for i := range b.Rows {
		if !selected.Has(i) {
			continue
		}
		if err := b.Entry(i, &r.entry); err != nil {
			return err
		}
		wrong, err := b.Check(i, &r.entry)
		if err != nil {
			return err
		}
		e := &r.entry
		r.rows.Reset()
		r.streams[e.Stream.ID].encoder.Append(&r.rows, e.Offset, e.Record)
		row := schema.Row{Key: r.rows.Key(0), Time: r.rows.Time(0), Stream: e.Stream.ID, Offset: e.Offset, Cells: r.rows.Cells(0)}
		if wrong != "" {
			row.Cells = append(slices.Clone(row.Cells), schema.Cell{Qualifier: "~", Value: []byte("the column " + wrong + " differs from the line")})
		}
		if !r.yield(&row, nil) {
			return errStopped
		}
	}
	return nil
}

// repairColumnar repairs the archive, writes the differing or damaged files of the columnar table
// again from it, and then compares once more. It skips the last two steps if there were no
// differences and no damaged files.
func (c *auditCmd) repairColumnar(a *app, cfg audit.Config, to archiveCloser) (err error) {
	began := time.Now()
	t, err := a.trees.ofTable(c.tableFlags)
	if err != nil {
		return err
	}
	if !isHDFS(t.url) && !exists(t.pattern.Root()) {
		return usage("no table at %s: fill one with `sluice run --from-archive`", t.pattern.Root())
	}
	damaged, err := damagedFiles(a, t)
	if err != nil {
		return err
	}
	table, err := openAuditedTree(a, t, damaged)
	if err != nil {
		return err
	}
	cfg.Table, cfg.Archive = table, to
	report, err := audit.Repair(a.ctx, cfg, to, a.cli.Data)
	held := table.Ranges()
	err = errors.Join(err, table.Close())
	if report != nil {
		printAudit(a.stdout, report, true, time.Since(began))
		printRepairs(a.stdout, &report.Repairs)
	}
	if err != nil || report.Differences() == 0 && len(damaged) == 0 {
		return err
	}
	for _, s := range report.Streams {
		if s.Differences() > 0 { // write all of the stream's files again
			delete(held, s.ID)
		}
	}
	if err := c.refill(a, cfg, t, held); err != nil {
		return err
	}
	print.Textln(a.stdout, "compared again:")
	if table, err = openAuditedTree(a, t, nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	cfg.Table = table
	return runAudit(a, cfg)
}

// damagedFiles reads every file of a columnar table and returns the names of the damaged ones.
func damagedFiles(a *app, t tree) (names map[string]bool, err error) {
	files, err := a.trees.read(t)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	names = map[string]bool{}
	_, err = columnar.Verify(a.ctx, files, nil, func(p columnar.Problem) {
		names[p.File] = true
		a.log.Warn("table file damaged, rebuilding it from its segments", "file", p.File, "err", p.Text)
	})
	return names, err
}

// refill writes the files of the columnar table whose segments have ranges outside held, and
// replaces those that differ.
func (c *auditCmd) refill(a *app, cfg audit.Config, t tree, held map[schema.StreamID]schema.RangeSet) (err error) {
	owner := "repair"
	if cfg.Checkpoint != nil {
		owner = cfg.Checkpoint.Collector()
	}
	files, err := a.trees.openColumnar(c.archiveFlags, t, owner, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	refill, err := audit.NewRefill(a.ctx, audit.RefillConfig{
		Archive: cfg.Archive, Pattern: cfg.Pattern, Naming: t.pattern, Dir: a.cli.Data, Pruned: cfg.Pruned, Held: held,
		Store: func(ctx context.Context, localPath, name string) error {
			return columnar.Repair(ctx, files, localPath, name)
		},
	})
	if err != nil {
		return err
	}
	failed, err := refill.Run(a.ctx)
	for _, text := range failed {
		print.Textln(a.stdout, "not repaired:", text)
	}
	if err != nil {
		return err
	}
	removed, err := columnar.RemoveBadMerged(a.ctx, files, len(failed) == 0)
	for _, name := range removed {
		print.Textln(a.stdout, "removed and rebuilt in parts:", name)
	}
	return err
}
