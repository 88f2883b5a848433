package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sluice/ingest/logfile"
)

// errNoContent is returned if no uncompressed file of the stream can be read now. It may be
// compressed or removed.
var errNoContent = errors.New("no file of the stream can be read")

// ReadAt reads the stream's bytes from its log; fewer than len(b) if the log ends before. It
// returns errNoContent if there is no file to read.
func (l *Logs) ReadAt(t *Stream, b []byte, offset int64) (n int, err error) {
	l.mu.Lock()
	known := t.snapshot()
	l.mu.Unlock()
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
		if err == nil && t.hasFile(id, logfile.BornNs(int(f.Fd()))) && t.endMatches(f) {
			return f
		}
	}
	_ = f.Close() // it was only read
	return nil
}

// exists reports whether one of the stream's files still exists: in a directory of Dirs, or in dir.
func (l *Logs) exists(t *Stream, dir string) bool {
	l.mu.Lock()
	known := t.snapshot()
	l.mu.Unlock()
	dirs := known.Dirs()
	if !slices.Contains(dirs, dir) {
		dirs = append(dirs, dir)
	}
	return slices.ContainsFunc(dirs, known.existsIn)
}

// existsIn reports whether one of the stream's files still exists, complete, in a directory.
func (t *Stream) existsIn(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // if the directory cannot be read, it may exist
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		id, err := logfile.IDOf(info)
		if err != nil || !slices.Contains(t.Files, id) {
			continue
		}
		l, err := logfile.Look(filepath.Join(dir, e.Name()))
		if err != nil || !t.hasFile(l.ID, l.BornNs) {
			continue
		}
		if whole, err := t.isWhole(l.Path); whole || err != nil {
			return true
		}
	}
	return false
}

// isWhole reports whether the file, which has the stream's inode, still has the stream: it was not
// truncated, and is not another file with the same inode.
func (t *Stream) isWhole(path string) (bool, error) {
	r, err := logfile.Open(path)
	if err != nil {
		return false, err
	}
	defer r.Close()
	start := make([]byte, t.HeadBytes)
	if _, err := io.ReadFull(r, start); err != nil {
		return false, nil
	}
	if !t.Begins(start) {
		return false, nil
	}
	if _, plain := r.(io.Seeker); !plain {
		// If a compressed file is damaged, a copy of the log may have what it lacks.
		if _, err := io.Copy(io.Discard, r); err != nil {
			return false, nil
		}
	}
	return t.matches(func() (io.ReadCloser, error) { return logfile.Open(path) })
}
