package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"sluice/hbase"
	"sluice/hbase/embedded"
	"sluice/hdfs"
	"sluice/hdfs/dfs"
	"sluice/ingest"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

const (
	embeddedScheme = "embedded:"
	dirScheme      = "dir:"
)

// tableFlags say which table.
type tableFlags struct {
	Table string `placeholder:"URL" help:"The table: embedded:DIR, a folder (default: embedded:DATA/table); hbase://ZK1,ZK2[:2181][/ZNODE]/TABLE, or hbase:///TABLE at the servers of hbase-site.xml (HBASE_CONF_DIR); hbase+rpc://MASTER1,MASTER2[:16000]/TABLE."`
	hbaseFlags
}

// table is what commands need of one.
type table interface {
	ingest.Table
	scanner
	Close() error
}

// onHBase reports whether the table is one of HBase's.
func (t tableFlags) onHBase() bool {
	return strings.HasPrefix(t.Table, hbase.SchemeZooKeeper+"://") || strings.HasPrefix(t.Table, hbase.SchemeRPC+"://")
}

// checkTable says whether the flags name a table, before anything is opened.
func (a *app) checkTable(t tableFlags) error {
	if t.onHBase() {
		_, err := a.hbaseTable(t)
		return err
	}
	_, err := t.dir(a.cli.Data)
	return err
}

// dir returns the folder of the embedded table.
func (t tableFlags) dir(data string) (string, error) {
	if t.Table == "" {
		return filepath.Join(data, "table"), nil
	}
	dir, ok := strings.CutPrefix(t.Table, embeddedScheme)
	if !ok || dir == "" {
		return "", usage("--table %s: not a table's URL: write embedded:DIR or hbase://ZOOKEEPER/TABLE", t.Table)
	}
	return dir, nil
}

// openTable opens a table for reading; it must be there.
func (a *app) openTable(t tableFlags) (table, error) {
	if t.onHBase() {
		return a.openHBase(t, hbase.Options{Wait: a.patience(false)})
	}
	dir, err := t.dir(a.cli.Data)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, usage("no table at %s: fill one with `sluice run --once access.log`, or name another with --table or --data", dir)
	}
	if err := checkPrivate("--table", dir); err != nil {
		return nil, err
	}
	if err := narrow(dir); err != nil {
		return nil, err
	}
	table, err := embedded.Open(dir, embedded.Options{ReadOnly: true, Logger: a.log})
	if err != nil {
		return nil, usageError{err}
	}
	return table, nil
}

// createTable opens a table for writing, with that layout or, nil, the one it has. The embedded table is made where there is
// none; one of HBase's is not, for that is a decision about a cluster. Who is
// unattended waits for a cluster however long it takes.
func (a *app) createTable(t tableFlags, layout *schema.Layout, unattended bool) (table, error) {
	if t.onHBase() {
		holdLittle()
		return a.openHBase(t, hbase.Options{Layout: layout, Refused: a.quarantine, Wait: a.patience(unattended)})
	}
	dir, err := t.dir(a.cli.Data)
	if err != nil {
		return nil, err
	}
	if err := checkPrivate("--table", dir); err != nil {
		return nil, err
	}
	if err := narrow(dir); err != nil {
		return nil, err
	}
	o := embedded.Options{Layout: layout, Logger: a.log}
	if unattended {
		o.Tolerate = diskFull
	}
	table, err := embedded.Open(dir, o)
	if err != nil {
		return nil, openError(err)
	}
	return table, nil
}

// holdLittle lets garbage be collected earlier. What an agent, or a writer to HBase,
// holds is in buffers that are used again, so it costs little: a million lines, packed,
// took 1.79 CPU seconds for 1.77, and 99 MiB for 111, with 40 percent for Go's 100. The
// embedded table, which makes anew what it writes, took twice the CPU with 40.
func holdLittle() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// openHBase opens a table that is there, with options' Layout, Refused and Wait.
func (a *app) openHBase(t tableFlags, options hbase.Options) (table, error) {
	h, err := a.hbaseTable(t)
	if err != nil {
		return nil, err
	}
	h.options.Layout, h.options.Refused, h.options.Wait = options.Layout, options.Refused, options.Wait
	table, err := hbase.Open(a.ctx, h.url, h.options)
	if err != nil {
		return nil, explainHBase(err, t.Table)
	}
	return table, nil
}

// archivePattern reads dir:PATTERN or hdfs://…/PATTERN; nothing is opened yet.
func archivePattern(url, data string) (hdfs.Pattern, error) {
	var none hdfs.Pattern
	if url == "" {
		abs, err := filepath.Abs(data)
		if err != nil {
			return none, usageError{err}
		}
		url = dirScheme + strings.ReplaceAll(abs, "%", "%%") + "/archive/%Y%m%d/%{host}"
	}
	text, ok := strings.CutPrefix(url, dirScheme)
	if strings.HasPrefix(url, dfs.Scheme) {
		var err error
		if _, text, err = dfs.SplitURL(url); err != nil {
			return none, usage("--archive %w", err)
		}
	} else if !ok || text == "" {
		return none, usage("--archive %s: not an archive's URL: write dir:PATTERN, such as dir:/logs/%%Y%%m%%d/%%{host}, or hdfs://NAMENODE/PATTERN", url)
	}
	pattern, err := hdfs.ParsePattern(text)
	if err != nil {
		return none, usage("--archive: %w", err)
	}
	if pattern.Unit() == hdfs.Second {
		return none, usage("--archive %s: a directory for every second; use %%M at most", url)
	}
	return pattern, nil
}

// lockData keeps a second process out of the data folder. The lock goes with
// the process, however it ends.
func lockData(dir string) (*os.File, error) {
	if err := checkPrivate("--data", dir); err != nil {
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

// lockFile makes a file and locks it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, fmt.Errorf("cannot be written: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(errors.New("another sluice is at work there; wait for it, or use another folder"), f.Close())
	}
	return f, nil
}

// newCollectorID names a data folder's files in an archive that it may share.
func newCollectorID() (string, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}
