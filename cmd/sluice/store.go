package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"sluice/archive"
	"sluice/hbase"
	"sluice/hdfs"
	"sluice/ingest/collector"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
	"sluice/table/columnar"
)

const dirScheme = "dir:"

// tableFlags select the table.
type tableFlags struct {
	Table string `placeholder:"URL" help:"The table: parquet:DIR, a directory of Parquet files (default: parquet:DATA/table); parquet:hdfs://NAMENODE1,NAMENODE2[:8020]/PATTERN, or parquet:hdfs:///PATTERN with HADOOP_CONF_DIR; hbase://ZK1,ZK2[:2181][/ZNODE]/TABLE, or hbase:///TABLE at the servers of hbase-site.xml (HBASE_CONF_DIR); hbase+rpc://MASTER1,MASTER2[:16000]/TABLE."`
	hbaseFlags
}

// table is the interface of tables that the commands use.
type table interface {
	collector.Table
	scanner
	Close() error
}

// onHBase reports whether the table is in HBase.
func (t tableFlags) onHBase() bool {
	return strings.HasPrefix(t.Table, hbase.SchemeZooKeeper+"://") || strings.HasPrefix(t.Table, hbase.SchemeRPC+"://")
}

// checkTable returns an error if the flags do not name a table. It opens nothing.
func (a *app) checkTable(t tableFlags) error {
	if t.onHBase() {
		_, err := a.hbase.locate(t)
		return err
	}
	_, err := a.trees.ofTable(t)
	return err
}

// ofTable returns the columnar table that the flags name.
func (o *trees) ofTable(t tableFlags) (tree, error) { return o.columnarTree("--table", t.Table) }

// openTable opens an existing table for reading.
func (a *app) openTable(t tableFlags) (table, error) {
	return a.openTableWithin(t, columnar.Bounds{})
}

// openTableWithin opens an existing table for reading. Of a columnar table, only files that may
// have rows within the bounds are read.
func (a *app) openTableWithin(t tableFlags, within columnar.Bounds) (table, error) {
	if t.onHBase() {
		return a.hbase.open(t, hbase.Options{Wait: a.cli.retryLimit(false)})
	}
	tree, err := a.trees.ofTable(t)
	if err != nil {
		return nil, err
	}
	return a.trees.readColumnar(a.ctx, tree, columnar.TableOptions{}, within)
}

// write opens a table in HBase for writing. layout is the layout that it must have; nil: any.
// The table is not created, because that is a decision about the cluster. An unattended process
// waits for the cluster without a time limit.
func (o *hbaseTables) write(t tableFlags, layout *schema.Layout, unattended bool) (table, error) {
	return o.open(t, hbase.Options{Layout: layout, Refused: o.quarantine.add, Wait: o.cli.retryLimit(unattended)})
}

// Percentages for holdLittle. Agents and collectors that write to HBase keep most of their memory in
// a few reused buffers, which collecting hardly looks at: writing a million lines in the packed
// layout took 1.79 instead of 1.77 CPU seconds and 99 instead of 111 MiB, measured with 40 percent
// instead of Go's default of 100. Columns have many small objects.
const (
	gcPercentBuffers = 25
	gcPercentColumns = 50
)

// holdLittle makes garbage collection more frequent, unless GOGC is set.
func holdLittle(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// open opens an existing table. Of options, it uses Layout, Refused and Wait.
func (o *hbaseTables) open(t tableFlags, options hbase.Options) (table, error) {
	h, err := o.locate(t)
	if err != nil {
		return nil, err
	}
	h.options.Layout, h.options.Refused, h.options.Wait = options.Layout, options.Refused, options.Wait
	table, err := hbase.Open(o.ctx, h.url, h.options)
	if err != nil {
		return nil, explainHBase(err, t.Table)
	}
	return table, nil
}

// archivePattern parses an archive URL, dir:PATTERN or hdfs://…/PATTERN. "" is the archive in the
// data directory. It opens nothing.
func archivePattern(url, data string) (archive.Pattern, error) {
	var none archive.Pattern
	if url == "" {
		abs, err := filepath.Abs(data)
		if err != nil {
			return none, usageError{err}
		}
		url = dirScheme + strings.ReplaceAll(abs, "%", "%%") + "/archive/%Y%m%d/%{host}"
	}
	text, ok := strings.CutPrefix(url, dirScheme)
	if strings.HasPrefix(url, hdfs.Scheme) {
		var err error
		if _, text, err = hdfs.SplitURL(url); err != nil {
			return none, usage("--archive %w", err)
		}
	} else if !ok || text == "" {
		return none, usage("--archive %s: not an archive's URL: write dir:PATTERN, such as dir:/logs/%%Y%%m%%d/%%{host}, or hdfs://NAMENODE/PATTERN", url)
	}
	pattern, err := archive.ParsePattern(text)
	if err != nil {
		return none, usage("--archive: %w", err)
	}
	if pattern.Unit() == archive.Second {
		return none, usage("--archive %s: a directory for every second; use %%M at most", url)
	}
	return pattern, nil
}

// lockData creates the data directory and locks it against other processes. The lock ends with the
// process, also after a crash.
func lockData(dir string) (*os.File, error) {
	if err := errors.Join(checkMounted("--data", dir), checkPrivate("--data", dir)); err != nil {
		return nil, err
	}
	if err := vfs.MkdirAll(vfs.OS{}, dir, 0o750); err != nil {
		return nil, openError(fmt.Errorf("--data: make the directory %s: %w", dir, err))
	}
	f, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, openError(fmt.Errorf("--data %s: %w", dir, err))
	}
	return f, nil
}

// lockFile creates a file and locks it. It returns an error if another process holds the lock.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, fmt.Errorf("cannot be written: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(errors.New("another sluice process uses this directory\nhint: wait until it ends, or give another directory"), f.Close())
	}
	return f, nil
}

// newCollectorID returns a random id that distinguishes the files of a data directory in a shared
// archive.
func newCollectorID() (string, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}
