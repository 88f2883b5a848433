package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sluice/ingest/segment/vfs"
)

// localFile is a file that is created by the first write beyond headBytes. Many Parquet files have
// no row group yet, and would otherwise use a file descriptor each.
type localFile struct {
	fsys vfs.FS
	path string
	file vfs.File
	head []byte // not yet written to the file
	size int64
}

// headBytes is the number of bytes that are buffered before the file is created. The header of a
// Parquet file has 4.
const headBytes = 16

func (l *localFile) Write(p []byte) (int, error) {
	if l.file == nil {
		if len(l.head)+len(p) <= headBytes {
			l.head = append(l.head, p...)
			return len(p), nil
		}
		file, err := l.fsys.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
		if err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		l.file = file
		if _, err := file.WriteAt(l.head, 0); err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		l.size = int64(len(l.head))
	}
	n, err := l.file.WriteAt(p, l.size)
	l.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("spool: %w", err)
	}
	return n, nil
}

// Close closes the file if it was created. It may be called again.
func (l *localFile) Close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// remove closes and deletes the file, if it exists.
func (l *localFile) remove() error {
	err := l.Close()
	if gone := l.fsys.Remove(l.path); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}
