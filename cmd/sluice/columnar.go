package main

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"strings"

	"sluice/archive"
	"sluice/hdfs"
	"sluice/schema"
	"sluice/table/columnar"
)

const (
	parquetScheme  = "parquet:"
	embeddedScheme = "embedded:" // of tables before they were columnar
	// columnarTree is the default path pattern of the files below a table's directory.
	columnarTree = "/day=%Y%m%d/host=%{host}"
)

// hintDamaged is what a user can do about a file of a columnar table that cannot be read.
const hintDamaged = "sluice table verify names each damaged file, and sluice audit --repair makes it again from the archive; move a file that sluice did not write out of the table's directory"

// columnarFlags say where a Parquet tree is, beside a table in HBase.
type columnarFlags struct {
	Columnar      string `placeholder:"URL" help:"Columnar table in addition to a table in HBase: parquet:DIR, or parquet:hdfs://NAMENODE1,NAMENODE2[:8020]/PATTERN. Each line is stored in both."`
	ColumnarLines string `default:"needed" enum:"needed,all" placeholder:"WHICH" help:"Lines that a columnar table stores byte for byte: needed (those that cannot be rebuilt exactly from their fields) or all."`
}

// columnarTree reads parquet:DIR or parquet:hdfs://…/PATTERN; "" is parquet:DATA/table.
// Nothing is opened.
func (a *app) columnarTree(flag, url string) (tree, error) {
	none := tree{}
	if url == "" {
		url = parquetScheme + filepath.Join(a.cli.Data, "table")
	}
	if dir, old := strings.CutPrefix(url, embeddedScheme); old {
		return none, usage("%s %s: sluice has no embedded table any more\nhint: write parquet:%s, or another directory if that one is of an older sluice, and fill it from the archive once: sluice run --from-archive URL --table parquet:DIR", flag, url, dir)
	}
	text, ok := strings.CutPrefix(url, parquetScheme)
	if !ok || text == "" {
		return none, usage("%s %s: not a table's URL: write parquet:DIR, parquet:hdfs://NAMENODE/DIR or hbase://ZOOKEEPER/TABLE", flag, url)
	}
	t := tree{flag: flag}
	pattern := strings.ReplaceAll(path.Clean(filepath.ToSlash(text)), "%", "%%") + columnarTree
	if isHDFS(text) {
		t.url = text
		var err error
		if _, pattern, err = hdfs.SplitURL(text); err != nil {
			return none, usage("%s %w", flag, err)
		}
		if !strings.Contains(pattern, "%") {
			pattern = strings.TrimRight(pattern, "/") + columnarTree
		}
	}
	var err error
	if t.pattern, err = archive.ParsePattern(pattern); err != nil {
		return none, usage("%s %s: %w", flag, url, err)
	}
	if t.pattern.Group(nil) != "" {
		return none, usage("%s %s: a columnar table has no directories by label: each label is a column", flag, url)
	}
	return t, nil
}

// id names the tree for feeds: the same for the same tree, whatever directory a process is
// started in.
func (t tree) id() string {
	if isHDFS(t.url) {
		authority, _, err := hdfs.SplitURL(t.url)
		if err == nil {
			return hdfs.Scheme + authority + t.pattern.Root()
		}
	}
	root, err := filepath.Abs(t.pattern.Root())
	if err != nil {
		return t.pattern.Root()
	}
	return root
}

// checkColumnar returns an error if a tree's directory cannot be a columnar table.
func (t tree) checkColumnar() error {
	if isHDFS(t.url) {
		return nil
	}
	root := t.pattern.Root()
	if err := checkPrivate(t.flag, root); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(root, "marker.manifest.*"))
	if err == nil && len(old) > 0 {
		err = usage("%s: the directory %s holds a table of an older sluice, which this one does not read\nhint: move it away and fill a table from the archive: mv %s %s.old && sluice run --from-archive URL", t.flag, root, root, root)
	}
	if err != nil {
		return err
	}
	return narrow(root)
}

// openColumnar opens a columnar table to be written by the collector owner.
func (a *app) openColumnar(f archiveFlags, t tree, owner string, unattended bool) (archiveCloser, error) {
	if err := t.checkColumnar(); err != nil {
		return nil, err
	}
	return a.openTree(f, t, owner, unattended)
}

// columnTree is a columnar table that is written.
type columnTree struct{ archiveCloser }

// Store puts the file of a segment under its name.
func (t columnTree) Store(ctx context.Context, localPath, name string) error {
	return columnar.Place(ctx, t.archiveCloser, localPath, name)
}

// columnarTable is a columnar table that is read.
type columnarTable struct {
	*columnar.Snapshot
	tree archiveCloser
}

// readColumnar opens a columnar table to be read. The lines that a collector with this
// --data directory has not stored there yet are part of it.
func (a *app) readColumnar(ctx context.Context, t tree, o columnar.TableOptions, within columnar.Bounds) (*columnarTable, error) {
	spool := a.feeds(t)
	if !isHDFS(t.url) && !exists(t.pattern.Root()) {
		return nil, usage("no table at %s: fill one with `sluice run --once access.log`, or name another with %s or --data", t.pattern.Root(), t.flag)
	}
	if err := t.checkColumnar(); err != nil {
		return nil, err
	}
	o.Spool, o.Log, o.Partitions = spool, a.log, columnar.PartitionsOf(t.pattern)
	files, err := a.readTree(t)
	if err != nil {
		return nil, err
	}
	snapshot, err := columnar.OpenTable(files, o).Snapshot(ctx, within)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	return &columnarTable{snapshot, files}, nil
}

// Close lets go of the table.
func (t *columnarTable) Close() error { return errors.Join(t.Snapshot.Close(), t.tree.Close()) }

// Put refuses: rows are made from files of whole segments only.
func (t *columnarTable) Put(context.Context, *schema.Rows) error {
	return errors.New("a columnar table takes no rows")
}

// Flush does nothing.
func (t *columnarTable) Flush(context.Context) error { return nil }
