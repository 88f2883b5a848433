package bulkload

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sluice/hbase/hfile"
	"sluice/hbase/region"
	"sluice/schema"
)

// localDir is the directory on the local disk with the files that are to be loaded. Its methods can
// be called concurrently, with different files.
type localDir struct {
	path        string
	family      string
	compression hfile.Compression

	mu         sync.Mutex
	qualifiers map[string]string // one string for each, for rows that are read from files
}

// fileSuffix ends the name of an HFile on the local disk. It need not survive a crash: its rows are
// made again.
const fileSuffix = ".hfile"

// sweep removes the files of earlier processes.
func (d *localDir) sweep() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), fileSuffix) {
			continue
		}
		if err := os.Remove(filepath.Join(d.path, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

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

// crosses reports whether a file has rows outside the region.
func (f *localFile) crosses(r *region.Region) bool {
	return bytes.Compare(f.first, r.Start) < 0 || !r.Has(f.last)
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
func (d *localDir) create(exclude bool) (*fileWriter, error) {
	w := &fileWriter{}
	w.file.exclude = exclude
	w.file.name = strings.ToLower(rand.Text())
	w.file.path = filepath.Join(d.path, w.file.name+fileSuffix)
	var err error
	if w.out, err = os.OpenFile(w.file.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, err
	}
	w.lines = bufio.NewWriterSize(w.out, writeBufferBytes)
	w.hfile, err = hfile.NewWriter(w.lines, hfile.Options{
		Family: d.family, Encoding: hfile.FastDiff, Compression: d.compression,
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
