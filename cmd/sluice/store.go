package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sluice/hbase/embedded"
	"sluice/hdfs"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

const (
	embeddedScheme = "embedded:"
	dirScheme      = "dir:"
)

// tableFlags say which table.
type tableFlags struct {
	Table string `placeholder:"URL" help:"The table: embedded:DIR, a folder (default: embedded:DATA/table)."`
}

// dir returns the folder of the embedded table.
func (t tableFlags) dir(data string) (string, error) {
	if t.Table == "" {
		return filepath.Join(data, "table"), nil
	}
	dir, ok := strings.CutPrefix(t.Table, embeddedScheme)
	if !ok || dir == "" {
		return "", usage("--table %s: not a table's URL: write embedded:DIR", t.Table)
	}
	return dir, nil
}

// openTable opens a table for reading; it must be there.
func (a *app) openTable(t tableFlags) (*embedded.Table, error) {
	dir, err := t.dir(a.cli.Data)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, usage("no table at %s: fill one with `sluice run --once access.log`, or name another with --table or --data", dir)
	}
	table, err := embedded.Open(dir, embedded.Options{ReadOnly: true, Logger: a.log})
	if err != nil {
		return nil, usageError{err}
	}
	return table, nil
}

// createTable opens a table for writing, and makes it where there is none.
func (a *app) createTable(t tableFlags, layout *schema.Layout) (*embedded.Table, error) {
	dir, err := t.dir(a.cli.Data)
	if err != nil {
		return nil, err
	}
	table, err := embedded.Open(dir, embedded.Options{Layout: layout, Logger: a.log})
	if err != nil {
		return nil, usageError{err}
	}
	return table, nil
}

// archivePattern reads dir:PATTERN; nothing is opened yet.
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
	if !ok || text == "" {
		return none, usage("--archive %s: not an archive's URL: write dir:PATTERN, such as dir:/logs/%%Y%%m%%d/%%{host}", url)
	}
	pattern, err := hdfs.ParsePattern(text)
	if err != nil {
		return none, usage("--archive: %w", err)
	}
	for _, label := range pattern.Labels() {
		if label != "host" {
			return none, usage("--archive %s: %%{%s} is not known here, only %%{host}", url, label)
		}
	}
	if pattern.Unit() == hdfs.Second {
		return none, usage("--archive %s: a directory for every second; use %%M at most", url)
	}
	return pattern, nil
}

// lockData keeps a second process out of the data folder. The lock goes with
// the process, however it ends.
func lockData(dir string) (*os.File, error) {
	if err := vfs.MkdirAll(vfs.OS{}, dir, 0o750); err != nil {
		return nil, usage("--data: cannot make the folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, usage("--data %s: cannot be written: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(usage("--data %s: another sluice is at work there; wait for it, or use another folder", dir), f.Close())
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
