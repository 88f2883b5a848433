package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sluice/ingest/logfile"
	"sluice/schema"
)

// errNoContent is returned if no uncompressed file of the stream can be read now. It may be
// compressed or removed.
var errNoContent = errors.New("no file of the stream can be read")

// ReadAt reads the stream's bytes from its log; fewer than len(b) if the log ends before. It
// returns errNoContent if there is no file to read.
func (c *File) ReadAt(t *Stream, b []byte, offset int64) (n int, err error) {
	c.mu.Lock()
	t.settleTail()
	known := *t
	known.Files, known.Born = slices.Clone(t.Files), slices.Clone(t.Born)
	c.mu.Unlock()
	f, err := known.open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if n, err = f.ReadAt(b, offset); err == io.EOF {
		err = nil
	}
	return n, err
}

// open finds the stream's log: at its first path, or in the same directory under a name that a
// rotation may have given it.
func (t *Stream) open() (*os.File, error) {
	if f := t.openAs(t.Path); f != nil {
		return f, nil
	}
	entries, err := os.ReadDir(filepath.Dir(t.Path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", errNoContent, err)
	}
	name := RotatedName(t.Path)
	for _, e := range entries {
		path := filepath.Join(filepath.Dir(t.Path), e.Name())
		if path == t.Path || RotatedName(path) != name || logfile.CompressedName(path) {
			continue
		}
		if f := t.openAs(path); f != nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", errNoContent, t.Path)
}

// openAs opens a file if it is the stream's: it must be one of its files by inode and birth time
// (inodes are reused), and have its first line and the last bytes that were read of it. It returns
// nil if it is not.
func (t *Stream) openAs(path string) *os.File {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || logfile.CompressedName(path) {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	if info, err = f.Stat(); err == nil { // of the open file, because the name may belong to another one now
		id, err := logfile.IDOf(info)
		if err == nil && t.hasFile(id, logfile.BornNs(int(f.Fd()))) && t.isIn(f) {
			return f
		}
	}
	_ = f.Close() // it was only read
	return nil
}

func (t *Stream) isIn(f *os.File) bool {
	start := make([]byte, t.HeadBytes)
	if _, err := f.ReadAt(start, 0); err != nil || !t.Begins(start) {
		return false
	}
	if t.TailBytes == 0 {
		return true
	}
	tail := make([]byte, t.TailBytes)
	_, err := f.ReadAt(tail, t.TailAt-int64(t.TailBytes))
	return err == nil && hashOf(tail) == t.Tail
}

// Fork creates another stream for a stream's log, which continues where t is stored, and removes t.
// It is used if a collector has other lines under t's id.
func (c *File) Fork(t *Stream) (*Stream, error) {
	c.mu.Lock()
	old, err := hex.DecodeString(t.Seed)
	if err != nil || len(old) == 0 {
		old = fmt.Append(nil, t.ID)
	}
	fork := *t
	fork.Files, fork.tail = slices.Clone(t.Files), slices.Clone(t.tail)
	for c.byID[fork.ID] != nil {
		sum := sha256.Sum256(append([]byte("fork"), old...))
		old = sum[:len(schema.StreamSeed{})]
		fork.name(schema.StreamSeed(old))
	}
	c.doc.Streams = slices.DeleteFunc(c.doc.Streams, func(o *Stream) bool { return o == t })
	c.doc.Streams = append(c.doc.Streams, &fork)
	c.index()
	c.mu.Unlock()
	return &fork, c.Save()
}
