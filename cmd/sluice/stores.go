package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sluice/archive"
	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/parse"
	"sluice/query"
	"sluice/schema"
)

// storeFlags select where lines are stored, and in which layout and files.
type storeFlags struct {
	tableFlags
	columnarFlags
	archiveFlags
	Layout         string        `default:"" enum:",typed,packed,flume" help:"Layout of the table in HBase: typed, packed or flume (default: that of the existing table)."`
	Cells          []string      `placeholder:"FIELD" help:"Fields that have a cell of their own in the table in HBase (default: those of the existing table)."`
	RollSize       mebibytes     `default:"100" placeholder:"MIB" help:"Compressed size of an archive file at which the next one is started; 100 and 100MiB are the same, 1GB is less than 1GiB."`
	Level          int           `default:"1" placeholder:"N" help:"gzip level of the archive, 1 to 9."`
	RollInterval   time.Duration `default:"2h" placeholder:"TIME" help:"Age at which an archive file is sealed, when following."`
	RollIdle       time.Duration `default:"15m" placeholder:"TIME" help:"Time without a new line after which an archive file is sealed, when following."`
	SpoolMax       mebibytes     `default:"10240" placeholder:"MIB" help:"Size limit of the spool: lines on this disk that are not yet in archive and table. At the limit, reading and receiving wait. 0 is no limit."`
	KeepLocal      time.Duration `default:"0s" placeholder:"TIME" help:"Time for which the local copy of an archive file is kept after it is archived."`
	MarkClosedDays bool          `help:"Create an empty file _SUCCESS in the archive's directories of a day when the day is over and all its lines are archived, for jobs that wait for it."`
	MarkGrace      time.Duration `default:"2h" placeholder:"TIME" help:"Time after midnight, in the log's time zone, in which lines of the previous day may still arrive; then --mark-closed-days marks the day, and its files of a columnar table are merged."`
}

// layout returns the layout that the table must have, or nil for the one that it has. A cell whose
// field is in no format is an error, because the table would keep it.
func (r *storeFlags) layout(formats []string) (*schema.Layout, error) {
	if r.Layout == "" && len(r.Cells) == 0 {
		return nil, nil
	}
	if !r.onHBase() {
		return nil, usage("--layout and --cells are for a table in HBase: a columnar one has a column for each field")
	}
	layout, err := schema.NewLayout(cmp.Or(r.Layout, schema.LayoutTyped))
	if err != nil {
		return nil, usageError{err}
	}
	layout.Cells = r.Cells
	if err := layout.Check(); err != nil {
		return nil, usageError{err}
	}
	names := formats
	if slices.Contains(formats, parse.AutoName) {
		names = append(slices.DeleteFunc(slices.Clone(formats), func(f string) bool { return f == parse.AutoName }), parse.Names()...)
	}
	var fields [][]schema.Field
	for _, name := range names {
		f, err := parse.Lookup(name, nil)
		if err != nil {
			return nil, usageError{err}
		}
		fields = append(fields, f.Fields())
	}
	if err := query.CheckFields(r.Cells, fields...); err != nil {
		return nil, usage("--cells: %w", err)
	}
	return &layout, nil
}

// stores has the checkpoint, the table and the archive of a run, opened.
type stores struct {
	locks         []*os.File
	checkpoint    *checkpoint.File
	table         storedTable   // in HBase; nil: there is none
	columns       archiveCloser // the tree of a columnar table; nil: there is none
	archive       archiveCloser
	collector     *collector.Collector
	retryFailures bool   // what fails is tried again
	spool         string // a directory
	// stopCompacting stops the goroutine of compactBeside. It is nil if there is none.
	stopCompacting func()
	// stopSweeping stops the goroutine of sweepBeside. It is nil if there is none.
	stopSweeping func()
}

// storeOptions are the options of a command for its stores.
type storeOptions struct {
	formats []string // of the logs, for the layout of a table that is made
	// checkpoint is a file, spool a directory; "" selects those of --data.
	checkpoint, spool string
	// load is how rows are written to HBase, and logs are the logs that are read; only of run
	// --once.
	load loadFlags
	logs []logfile.Log
	// collector has settings that are not flags; open sets the others.
	collector collector.Config
}

// checkRolls validates the flags for the size and age of archive files.
func (r *storeFlags) checkRolls() error {
	if r.RollSize < 1 || r.Level < 1 || r.Level > 9 {
		return usage("--roll-size must be at least 1MiB, --level 1 to 9")
	}
	if r.MarkGrace < 0 || r.SpoolMax < 0 || r.KeepLocal < 0 {
		return usage("--mark-grace, --spool-max and --keep-local must be at least 0")
	}
	return nil
}

// open opens the checkpoint, the table and the archive, and starts the collector, before a log is
// read.
func (r *storeFlags) open(a *app, o storeOptions) (s *stores, err error) {
	s = &stores{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	layout, err := r.layout(o.formats)
	if err != nil {
		return s, err
	}
	if err := a.checkTable(r.tableFlags); err != nil {
		return s, err
	}
	if _, err := r.columnar(a); err != nil {
		return s, err
	}
	pattern, err := archivePattern(r.Archive, a.cli.Data)
	if err != nil {
		return s, err
	}
	if s.checkpoint, s.locks, err = a.openCheckpoint(o.checkpoint, o.spool); err != nil {
		return s, err
	}
	spool := cmp.Or(o.spool, filepath.Join(a.cli.Data, "spool"))
	if err := errors.Join(checkMounted("--spool", spool), checkPrivate("--spool", spool)); err != nil {
		return s, err
	}
	s.archive, err = a.openOrLate(o.collector.RetryFailures, func() (archiveCloser, error) {
		return a.trees.openArchive(r.archiveFlags, pattern, s.checkpoint.Collector(), o.collector.RetryFailures)
	})
	if err != nil {
		return s, err
	}
	c := o.collector
	s.retryFailures, s.spool = c.RetryFailures, spool
	c.FS, c.SpoolDir, c.Checkpoint = vfs.OS{}, spool, s.checkpoint
	c.Archive, c.Naming = s.archive, pattern
	if err := r.openTables(a, s, &c, layout, o); err != nil {
		return s, err
	}
	c.RollBytes, c.RollInterval, c.RollIdle, c.Level, c.Log = r.RollSize.bytes(), r.RollInterval, r.RollIdle, r.Level, a.log
	c.SpoolMaxBytes, c.KeepLocal, c.Uploads = r.SpoolMax.bytes(), r.KeepLocal, r.ArchiveUploads
	c.MarkClosed, c.ClosedGrace = r.MarkClosedDays, r.MarkGrace
	if c.RetryFailures && !s.checkpoint.Found() { // a spool without a checkpoint would be an error
		if err := s.checkpoint.Save(); err != nil {
			return s, err
		}
	}
	s.collector, err = collector.New(a.ctx, c)
	if errors.Is(err, fs.ErrPermission) {
		err = openError(err)
	}
	if err == nil && s.retryFailures && s.columns != nil {
		if t, err := r.columnar(a); err == nil {
			s.compactBeside(a, r.archiveFlags, *t, spool, r.MarkGrace)
		}
	}
	return s, err
}

// openTables opens the table, or tables, of a collector.
func (r *storeFlags) openTables(a *app, s *stores, c *collector.Config, layout *schema.Layout, o storeOptions) (err error) {
	if r.onHBase() && r.Columnar == "" {
		holdLittle(gcPercentBuffers)
	} else {
		holdLittle(gcPercentColumns)
	}
	if r.onHBase() {
		if c.SpoolAhead {
			lazy := openLazily(r.Table, func() (table, error) { return a.hbase.write(r.tableFlags, layout, c.RetryFailures) })
			s.table = lazy
			if err := lazy.waitOpen(); err != nil {
				return err
			}
		} else if err := r.openRows(a, s, c, layout, o); err != nil {
			return err
		}
		if o.load.Load == "" { // a process that follows logs; those that end sweep before their first row
			s.sweepBeside(a.hbase)
		}
		c.Table, c.TableReady = s.table, s.tableReady()
	}
	t, err := r.columnar(a)
	if err != nil || t == nil {
		return err
	}
	if archived, ok := c.Naming.(archive.Pattern); ok && t.pattern.Unit() > archived.Unit() {
		return usage("%s: its directories are of one %s, those of the archive of one %s\nhint: give --archive a pattern with the same escapes: a file of either has the lines of one segment", t.flag, t.pattern.Unit(), archived.Unit())
	}
	s.columns, err = a.openOrLate(c.RetryFailures, func() (archiveCloser, error) {
		return a.trees.openColumnar(r.archiveFlags, *t, s.checkpoint.Collector(), c.RetryFailures)
	})
	if err != nil {
		return err
	}
	c.Columns, c.ColumnNaming, c.AllLines = columnTree{s.columns}, t.pattern, r.ColumnarLines == "all"
	return noteFeed(a.cli.Data, *t, c.SpoolDir)
}

// openRows opens a table in HBase.
func (r *storeFlags) openRows(a *app, s *stores, c *collector.Config, layout *schema.Layout, o storeOptions) error {
	if o.load.Load == "" {
		opened, err := a.hbase.write(r.tableFlags, layout, c.RetryFailures)
		if err == nil {
			s.table = opened
		}
		return err
	}
	opened, err := a.hbase.load(r.tableFlags, layout, o.load)
	if err != nil {
		return err
	}
	s.table = opened
	if t, ok := opened.(*loadedTable); ok && t.expect(unread(o.logs, s.checkpoint)) {
		c.CommitBytes = commitBytes
	}
	return nil
}

// columnar returns the columnar table that the flags name, or nil if there is none.
func (r *storeFlags) columnar(a *app) (*tree, error) {
	if r.onHBase() && r.Columnar == "" {
		return nil, nil
	}
	if !r.onHBase() && r.Columnar != "" {
		return nil, usage("--columnar is for a columnar table beside one in HBase: --table names a columnar one already")
	}
	flag, url := "--table", r.Table
	if r.onHBase() {
		flag, url = "--columnar", r.Columnar
	}
	t, err := a.trees.columnarTree(flag, url)
	return &t, err
}

// openCheckpoint opens the checkpoint at path, or that of --data if path is empty, and locks it and
// its data directory, where it records both places. spool is "" if it is that of --data, too.
func (a *app) openCheckpoint(path, spool string) (*checkpoint.File, []*os.File, error) {
	lock, err := lockData(a.cli.Data)
	if err != nil {
		return nil, nil, err
	}
	locks := []*os.File{lock}
	given := path
	if path == "" {
		path = filepath.Join(a.cli.Data, "checkpoint")
	} else {
		dir := filepath.Dir(path)
		if err := errors.Join(checkMounted("--checkpoint: directory", dir), checkPrivate("--checkpoint: directory", dir)); err != nil {
			return nil, locks, err
		}
		if lock, err = lockFile(path + ".lock"); err != nil {
			return nil, locks, openError(fmt.Errorf("--checkpoint %s: %w", path, err))
		}
		locks = append(locks, lock)
	}
	id, err := newCollectorID()
	if err != nil {
		return nil, locks, err
	}
	file, err := checkpoint.Open(vfs.OS{}, path, id)
	if err == nil && file.Collector() == parseCollector {
		err = fmt.Errorf("%s: this checkpoint is of sluice parse, whose lines were printed and not stored; give another file", path)
	}
	if err == nil { // the flags are right
		err = notePlaces(a.cli.Data, given, spool)
	}
	if err != nil {
		return nil, locks, openError(err)
	}
	return file, locks, nil
}

// state returns the state of the collector, with the operations that table and archive retry.
func (s *stores) state() *collector.State {
	state := s.collector.State()
	state.Retries = append(state.Retries, s.tableRetries()...)
	columns := "table: "
	if s.table != nil {
		columns = "columnar: "
	}
	for what, files := range map[string]archiveCloser{"archive: ": s.archive, columns: s.columns} {
		if files, ok := files.(retried); ok {
			for _, x := range files.Retries() {
				state.Retries = append(state.Retries, collector.RetryState{What: what + x.What, Since: x.Since, Attempts: x.Attempts, Error: x.Err.Error()})
			}
		}
	}
	return &state
}

// drainTime is how long a process that follows logs, or that was stopped, waits at its end for an
// unavailable archive or table. The next start stores what is left.
const drainTime = time.Minute

// finish stores what was received, unless storing has failed. A process that is stopped while a
// cluster does not answer does not wait for it: the next start stores what is left.
func (s *stores) finish(ctx context.Context, failed error) error {
	stopped := ctx.Err() != nil
	if stopped && failed == nil && len(s.state().Retries) > 0 {
		return s.collector.Abort()
	}
	ctx = context.WithoutCancel(ctx)
	if s.retryFailures || stopped {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, drainTime)
		defer cancel()
	}
	if failed == nil {
		return s.collector.Close(ctx)
	}
	return errors.Join(failed, s.collector.Abort())
}

func (s *stores) close() error {
	for _, stop := range []func(){s.stopCompacting, s.stopSweeping} {
		if stop != nil {
			stop()
		}
	}
	var errs []error
	if s.table != nil {
		errs = append(errs, s.table.Close())
	}
	for _, files := range []archiveCloser{s.archive, s.columns} {
		if files != nil {
			errs = append(errs, files.Close())
		}
	}
	return errors.Join(append(errs, closeAll(s.locks))...)
}

func closeAll(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
