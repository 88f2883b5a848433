package main

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"sluice/archive/index"
	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/print"
	"sluice/query"
	"sluice/schema"
	"sluice/table/columnar"
)

type pruneCmd struct {
	tableFlags
	archiveFlags
	OlderThan string `required:"" placeholder:"AGE" help:"Remove the files of days that ended longer ago than this: 90d, 12w, 720h."`
	Only      string `default:"both" enum:"both,table,archive" placeholder:"WHICH" help:"Prune both, or only the table or the archive."`
	DryRun    bool   `help:"Print what would be removed, without removing it."`
}

// minPruneAge is the least --older-than. It prevents 3m, meant as three months, from removing
// almost everything.
const minPruneAge = 24 * time.Hour

// Help returns the detailed help text; kong calls it.
func (pruneCmd) Help() string {
	return `Removes old files from a columnar table and from the archive. A file is removed
as a whole, when the day of its lines ended --older-than ago in every time zone. Files
with lines that the checkpoint in --data does not list as stored are kept, and so are lines
without a time. The removed ranges are saved in --data: audit does not report them as
missing, and audit --repair and run --from-archive do not restore them.

    sluice prune --older-than 90d --dry-run
    sluice prune --older-than 90d
    sluice prune --older-than 400d --only archive`
}

func (c *pruneCmd) Run(a *app) (err error) {
	age, err := query.ParseLast(strings.TrimPrefix(c.OlderThan, "-"))
	if err != nil {
		return usage("--older-than: %w", err)
	}
	if age < minPruneAge {
		return usage("--older-than %s: files are of whole days, write 1d or more\nhint: m is minutes; three months are 90d", c.OlderThan)
	}
	p := &pruner{cmd: c, before: time.Now().Add(-age)}
	if p.record, err = checkpoint.OpenPruned(vfs.OS{}, prunedPath(a.cli.Data)); err != nil {
		return openError(err)
	}
	if p.checkpoint, err = readCheckpoint(a.cli.Data); err != nil {
		return openError(err)
	}
	if c.Only != "archive" {
		err = p.table(a)
	}
	if err == nil && c.Only != "table" {
		err = p.archive(a)
	}
	return err
}

// prunedPath returns the path of the file that records the pruned ranges.
func prunedPath(data string) string { return filepath.Join(data, "pruned") }

// pruner is the state of a running prune command.
type pruner struct {
	cmd        *pruneCmd
	before     time.Time
	record     *checkpoint.Pruned
	checkpoint *checkpoint.File // nil: no checkpoint in --data, which has stored nothing
}

// stored reports whether a stream is stored up to offset end. It is true for a stream that is not
// in the checkpoint: it belongs to another collector, or was removed from the checkpoint after it
// was stored.
func (p *pruner) stored(id schema.StreamID, end int64) bool {
	if p.checkpoint == nil {
		return true
	}
	s := p.checkpoint.Stream(id)
	return s == nil || p.checkpoint.Stored(s) >= end
}

func (p *pruner) table(a *app) (err error) {
	if p.cmd.onHBase() {
		return usage("--table %s: old rows in HBase go by the family's TTL\nhint: add --only archive", p.cmd.Table)
	}
	m, err := a.compactor.open(p.cmd.tableFlags, p.cmd.archiveFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	done, err := columnar.Prune(a.ctx, m.files, columnar.PruneOptions{
		Partitions: columnar.PartitionsOf(m.tree.pattern), Before: p.before, Stored: p.stored, DryRun: p.cmd.DryRun,
		Note: func(streams []columnar.StreamMeta) error {
			for _, s := range streams {
				for _, r := range s.Ranges {
					p.record.AddTable(s.Stream.ID, r.Range)
				}
			}
			return p.record.Save()
		},
	})
	print.Textf(a.stdout, "table: %s=%d rows=%d bytes=%d not_stored=%d undated=%d\n", p.verb(), done.Files, done.Rows, done.Bytes, done.NotStored, done.Undated)
	return err
}

func (p *pruner) archive(a *app) (err error) {
	pattern, err := archivePattern(p.cmd.Archive, a.cli.Data)
	if err != nil {
		return err
	}
	owner, err := a.compactor.owner()
	if err != nil {
		return openError(err)
	}
	if !isHDFS(p.cmd.Archive) && !exists(pattern.Root()) {
		return usage("no archive at %s: name another with --archive or --data, or add --only table", pattern.Root())
	}
	files, err := a.trees.openArchive(p.cmd.archiveFlags, pattern, owner, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	done, err := index.Prune(a.ctx, files, pattern, index.PruneOptions{
		Before: p.before, Stored: p.stored, DryRun: p.cmd.DryRun,
		Note: func(members []index.Member) error {
			for i := range members {
				p.record.AddArchive(members[i].Stream, members[i].Range)
			}
			return p.record.Save()
		},
	})
	print.Textf(a.stdout, "archive: %s=%d lines=%d bytes=%d not_stored=%d undated=%d damaged=%d\n", p.verb(), done.Files, done.Lines, done.Bytes, done.NotStored, done.Undated, done.Damaged)
	return err
}

func (p *pruner) verb() string {
	if p.cmd.DryRun {
		return "would_remove"
	}
	return "removed"
}

// readPruned returns the ranges of each stream that were pruned from the table or the archive.
func readPruned(data string) (map[schema.StreamID]schema.RangeSet, error) {
	record, err := checkpoint.OpenPruned(vfs.OS{}, prunedPath(data))
	if err != nil {
		return nil, openError(err)
	}
	all := map[schema.StreamID]schema.RangeSet{}
	for _, sets := range []map[schema.StreamID]*schema.RangeSet{record.Table, record.Archive} {
		for id, set := range sets {
			both := all[id]
			for _, r := range *set {
				both.Add(r)
			}
			all[id] = both
		}
	}
	return all, nil
}
