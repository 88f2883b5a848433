package bulkload

import (
	"bufio"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/hbase/hfile"
	"sluice/schema"
)

// localFile is a complete HFile on the local disk.
type localFile struct {
	path, name  string
	first, last []byte // row keys
	bytes       int64
	exclude     bool // from minor compactions
	level       int  // of merging: 0 is a file of a window
}

func (f *localFile) remove() error {
	if err := os.Remove(f.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeBufferBytes is the buffer of a file that is being written; there is one for each region.
const writeBufferBytes = 64 << 10

// fileWriter writes an HFile to the local disk.
type fileWriter struct {
	file  localFile
	out   *os.File
	lines *bufio.Writer
	hfile *hfile.Writer
}

// create begins a file.
func (l *Loader) create(exclude bool) (*fileWriter, error) {
	w := &fileWriter{}
	w.file.exclude = exclude
	w.file.name = strings.ToLower(rand.Text())
	w.file.path = filepath.Join(l.o.Dir, w.file.name+fileSuffix)
	var err error
	if w.out, err = os.OpenFile(w.file.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, err
	}
	w.lines = bufio.NewWriterSize(w.out, writeBufferBytes)
	w.hfile, err = hfile.NewWriter(w.lines, hfile.Options{
		Family: l.o.Layout.Family, Encoding: hfile.FastDiff, Compression: l.o.Compression,
		ExcludeFromMinorCompaction: exclude, Created: time.Now(),
	})
	if err != nil {
		return nil, errors.Join(err, w.discard())
	}
	return w, nil
}

// add appends a row.
func (w *fileWriter) add(key []byte, eventNanos int64, cells []schema.Cell) error {
	for i := range cells {
		if err := w.hfile.Append(key, cells[i].Qualifier, uint64(eventNanos)/1e6, cells[i].Value); err != nil {
			return err
		}
	}
	w.file.last = append(w.file.last[:0], key...)
	return nil
}

// close completes the file.
func (w *fileWriter) close() (*localFile, error) {
	summary, err := w.hfile.Close()
	if err == nil {
		err = w.lines.Flush()
	}
	if err != nil {
		return nil, errors.Join(err, w.discard())
	}
	w.file.first, w.file.last, w.file.bytes = summary.FirstRow, summary.LastRow, summary.Bytes
	return &w.file, w.out.Close()
}

// discard removes an unfinished file.
func (w *fileWriter) discard() error {
	return errors.Join(w.out.Close(), w.file.remove())
}
