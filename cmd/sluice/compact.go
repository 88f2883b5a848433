package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/ingest/segment/vfs"
	"sluice/print"
	"sluice/table/columnar"
)

type compactCmd struct {
	tableFlags
	archiveFlags
	TargetSize mebibytes     `default:"128" placeholder:"MIB" help:"Approximate size of a merged file. Files of at least three quarters of it are not merged again."`
	MarkGrace  time.Duration `default:"2h" placeholder:"TIME" help:"Time to wait after the end of a day before its files are merged."`
	DryRun     bool          `help:"Print what would be merged, without merging it."`
}

// Help returns the extended help text for kong.
func (compactCmd) Help() string {
	return `Merges the files of a columnar table, for each day that is over and each host, into
files of about --target-size, sorted by time. Collectors and a run that follows do this
themselves every half hour; this is for tables that no process is writing.

    sluice compact
    sluice compact --table parquet:hdfs://nn1,nn2/weblogs --dry-run

It can be stopped at any time and run again: a merged file is valid as soon as it is
stored, and the files that it replaces are removed after that.`
}

func (c *compactCmd) Run(a *app) (err error) {
	if c.TargetSize < 1 || c.MarkGrace < 0 {
		return usage("--target-size must be at least 1MiB, --mark-grace at least 0")
	}
	m, err := a.compactor.open(c.tableFlags, c.archiveFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	done, err := columnar.Compact(a.ctx, m.files, columnar.CompactOptions{
		TempDir: a.cli.Data, Partitions: columnar.PartitionsOf(m.tree.pattern), Closed: closedBefore(time.Now(), c.MarkGrace),
		TargetBytes: c.TargetSize.bytes(), DryRun: c.DryRun, Log: a.log,
	})
	print.Textf(a.stdout, "merged=%d of_files=%d rows=%d bytes_before=%d bytes=%d removed=%d\n", done.Merged, done.Files, done.Rows, done.FileBytes, done.Bytes, done.Removed)
	return err
}

// closedBefore returns a function that reports whether the day of a partition ended at least grace
// ago in every time zone, because the zone of its logs is unknown.
func closedBefore(now time.Time, grace time.Duration) func(columnar.Partition) bool {
	return func(p columnar.Partition) bool {
		end, known := p.End()
		return known && !end.Add(grace).After(now)
	}
}

// compactor opens columnar tables for compaction and pruning, and merges the files of one beside a
// collector.
type compactor struct {
	ctx   context.Context
	cli   *cli
	log   *slog.Logger
	trees *trees
}

// maintenance is a columnar table that is open for compaction or pruning. A lock allows one process
// at a time with the same --data.
type maintenance struct {
	tree  tree
	files archiveCloser
	lock  *os.File
}

// open opens the columnar table that the flags select, for compaction or pruning.
func (c *compactor) open(t tableFlags, f archiveFlags) (*maintenance, error) {
	if t.onHBase() {
		return nil, usage("--table %s: only a columnar table has files\nhint: name its tree (--table parquet:…); old rows in HBase go by the family's TTL", t.Table)
	}
	columns, err := c.trees.ofTable(t)
	if err != nil {
		return nil, err
	}
	if !isHDFS(columns.url) && !exists(columns.pattern.Root()) {
		return nil, usage("no table at %s: name another with --table or --data", columns.pattern.Root())
	}
	return c.maintain(f, columns, false)
}

// maintain locks a tree, opens it for compaction or pruning, and removes what an interrupted
// process with the same --data left.
func (c *compactor) maintain(f archiveFlags, t tree, unattended bool) (*maintenance, error) {
	if err := checkPrivate("--data", c.cli.Data); err != nil {
		return nil, err
	}
	if err := vfs.MkdirAll(vfs.OS{}, c.cli.Data, 0o750); err != nil {
		return nil, openError(fmt.Errorf("--data: make the directory %s: %w", c.cli.Data, err))
	}
	lock, err := lockFile(filepath.Join(c.cli.Data, "compact.lock"))
	if err != nil {
		return nil, openError(fmt.Errorf("--data %s: compact or prune: %w", c.cli.Data, err))
	}
	m := &maintenance{tree: t, lock: lock}
	owner, err := c.owner()
	if err == nil {
		m.files, err = c.trees.openColumnar(f, t, owner, unattended)
	}
	if err == nil {
		err = m.files.Sweep(c.ctx)
	}
	if err == nil {
		err = removeHalfMerged(c.cli.Data)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// owner returns the owner of temporary files in the table: the same in each process with this
// --data, so that the next one removes the files of a crashed one.
func (c *compactor) owner() (string, error) {
	file, err := readCheckpoint(c.cli.Data)
	if err != nil || file == nil {
		return "compact", err
	}
	return file.Collector() + "-compact", nil
}

// removeHalfMerged removes the temporary directories of a compaction that was killed.
func removeHalfMerged(data string) error {
	left, err := fs.Glob(os.DirFS(data), "merge-*")
	for _, name := range left {
		err = errors.Join(err, os.RemoveAll(filepath.Join(data, name)))
	}
	return err
}

func (m *maintenance) close() error {
	var err error
	if m.files != nil {
		err = m.files.Close()
	}
	return errors.Join(err, m.lock.Close())
}

const (
	// compactInterval is the interval at which a long-running process merges the files of past
	// days. It considers the last recentDays days, and every compactAllEvery times all days.
	compactInterval = 30 * time.Minute
	recentDays      = 9
	compactAllEvery = 48
)

// compactBeside starts to merge files, and to write columns of the spool's open segments, until the
// stores are closed.
func (s *stores) compactBeside(a *app, f archiveFlags, t tree, spool string, grace time.Duration) {
	ctx, cancel := context.WithCancel(a.ctx)
	var workers sync.WaitGroup
	workers.Go(func() { a.compactor.run(ctx, f, t, grace) })
	workers.Go(func() { a.compactor.columnsAhead(ctx, spool) })
	s.stopCompacting = func() { cancel(); workers.Wait() }
}

// aheadInterval is the interval at which columns are written for segments that are still open.
const aheadInterval = 2 * time.Second

// columnsAhead writes columns of the spool's open segments until ctx ends. An error is logged when
// it first occurs.
func (c *compactor) columnsAhead(ctx context.Context, spool string) {
	ticker := time.NewTicker(aheadInterval)
	defer ticker.Stop()
	ahead := columnar.NewAhead(spool, columnar.DefaultAheadBytes)
	for failing := false; ; {
		err := ahead.Step(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			c.log.Warn("cannot make columns of open segments, queries read their lines instead", "err", err)
		}
		failing = err != nil
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// run merges files of a columnar table until ctx ends. Errors are logged and retried at the next
// interval.
func (c *compactor) run(ctx context.Context, f archiveFlags, t tree, grace time.Duration) {
	ticker := time.NewTicker(compactInterval)
	defer ticker.Stop()
	for n := 0; ; n++ {
		bounds := columnar.Bounds{}
		if n%compactAllEvery != 0 {
			bounds.From = time.Now().AddDate(0, 0, -recentDays).UnixNano()
		}
		if err := c.once(ctx, f, t, grace, bounds); err != nil && ctx.Err() == nil {
			c.log.Warn("cannot merge table files, will retry", "table", t.id(), "err", err, "retry_in", compactInterval)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// once merges the files of a columnar table once.
func (c *compactor) once(ctx context.Context, f archiveFlags, t tree, grace time.Duration, bounds columnar.Bounds) (err error) {
	m, err := c.maintain(f, t, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	_, err = columnar.Compact(ctx, m.files, columnar.CompactOptions{
		TempDir: c.cli.Data, Partitions: columnar.PartitionsOf(t.pattern), Bounds: bounds, Closed: closedBefore(time.Now(), grace), Log: c.log,
	})
	return err
}
