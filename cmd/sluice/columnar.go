package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
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
	embeddedScheme = "embedded:" // precedes URLs of the former table format, which is rejected
	// columnarTree is the default path pattern of files below a table's directory.
	columnarTree = "/day=%Y%m%d/host=%{host}"
)

// hintDamaged is the hint for a file of a columnar table that cannot be read.
const hintDamaged = "sluice table verify names each damaged file, and sluice audit --repair rebuilds it from the archive; move a file that sluice did not write out of the table's directory"

// columnarFlags select a columnar table in addition to a table in HBase.
type columnarFlags struct {
	Columnar      string `placeholder:"URL" help:"Columnar table in addition to a table in HBase: parquet:DIR, or parquet:hdfs://NAMENODE1,NAMENODE2[:8020]/PATTERN. Each line is stored in both."`
	ColumnarLines string `default:"needed" enum:"needed,all" placeholder:"WHICH" help:"Lines that a columnar table stores byte for byte: needed (those that cannot be rebuilt exactly from their fields) or all."`
}

// columnarTree parses parquet:DIR or parquet:hdfs://…/PATTERN; "" is parquet:DATA/table. It opens
// nothing. flag is the flag's name, for errors.
func (o *trees) columnarTree(flag, url string) (tree, error) {
	none := tree{}
	if url == "" {
		url = parquetScheme + filepath.Join(o.cli.Data, "table")
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

// id returns the identifier of the tree in a feed. It is absolute, so that it does not depend on
// the working directory of the process.
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

// checkColumnar returns an error if a tree's directory cannot be a columnar table, and removes
// permissions on it that are too wide (narrow). A tree in HDFS is not checked.
func (t tree) checkColumnar() error {
	if isHDFS(t.url) {
		return nil
	}
	root := t.pattern.Root()
	if err := checkPrivate(t.flag, root); err != nil {
		return err
	}
	old, err := fs.Glob(os.DirFS(root), "marker.manifest.*")
	if err == nil && len(old) > 0 {
		err = usage("%s: the directory %s has a table of an older version of sluice, which this version cannot read\nhint: move it away and fill a table from the archive: mv %s %s.old && sluice run --from-archive URL", t.flag, root, root, root)
	}
	if err != nil {
		return err
	}
	return narrow(root)
}

// openColumnar opens a columnar table for writing by the collector owner.
func (o *trees) openColumnar(f archiveFlags, t tree, owner string, unattended bool) (archiveCloser, error) {
	if err := t.checkColumnar(); err != nil {
		return nil, err
	}
	return o.open(f, t, owner, unattended)
}

// columnTree is a columnar table open for writing.
type columnTree struct{ archiveCloser }

// Store stores the file of a segment under its name. It keeps an existing file of the same segment.
func (t columnTree) Store(ctx context.Context, localPath, name string) error {
	return columnar.Place(ctx, t.archiveCloser, localPath, name)
}

// columnarTable is a columnar table open for reading.
type columnarTable struct {
	*columnar.Snapshot
	tree archiveCloser
}

// readColumnar opens a snapshot of a columnar table for reading. It includes lines that a collector
// with this --data directory has in its spool and has not stored in the table yet.
func (o *trees) readColumnar(ctx context.Context, t tree, options columnar.TableOptions, within columnar.Bounds) (*columnarTable, error) {
	spool := o.spoolOf(t)
	if !isHDFS(t.url) && !exists(t.pattern.Root()) {
		return nil, usage("no table at %s: fill one with `sluice run --once access.log`, or name another with %s or --data", t.pattern.Root(), t.flag)
	}
	if err := t.checkColumnar(); err != nil {
		return nil, err
	}
	options.Spool, options.Log, options.Partitions = spool, o.log, columnar.PartitionsOf(t.pattern)
	files, err := o.read(t)
	if err != nil {
		return nil, err
	}
	snapshot, err := columnar.OpenTable(files, options).Snapshot(ctx, within)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	return &columnarTable{snapshot, files}, nil
}

// Close closes the snapshot and the tree.
func (t *columnarTable) Close() error { return errors.Join(t.Snapshot.Close(), t.tree.Close()) }

// Put returns an error: a columnar table is written in files of whole segments only.
func (t *columnarTable) Put(context.Context, *schema.Rows) error {
	return errors.New("a columnar table does not accept rows")
}

// Flush does nothing.
func (t *columnarTable) Flush(context.Context) error { return nil }
