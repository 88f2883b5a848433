// Package logfile opens log files, including compressed ones, and reads them as whole lines.
package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// compressionBytes is how many first bytes show whether a file is compressed.
const compressionBytes = 16

// ID identifies a file in its file system.
type ID struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// Log is a log file to be read once, from beginning to end.
type Log struct {
	Path string // absolute
	ID   ID
	// BornNs is when the file was created, in nanoseconds since 1970; 0: not known.
	BornNs     int64
	compressed bool
}

// Look returns the description of a file, which must be a readable regular file or a link to one.
func Look(path string) (Log, error) {
	f, err := os.Open(path)
	if err != nil {
		return Log{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Log{}, err
	}
	if !info.Mode().IsRegular() {
		return Log{}, fmt.Errorf("%s is not a regular file", path)
	}
	id, err := IDOf(info)
	if err != nil {
		return Log{}, fmt.Errorf("%s: %w", path, err)
	}
	// Absolute, because the next run may be started in another directory.
	absolute, err := filepath.Abs(path)
	if err != nil {
		return Log{}, err
	}
	start := make([]byte, compressionBytes)
	n, err := f.ReadAt(start, 0)
	if err != nil && err != io.EOF {
		return Log{}, err
	}
	return Log{Path: absolute, ID: id, BornNs: BornNs(int(f.Fd())), compressed: compressionOf(start[:n]) != NotCompressed}, nil
}

// Open returns the log's lines from the beginning, decompressed.
func (l Log) Open() (io.ReadCloser, error) { return Open(l.Path) }

// Open opens a file of lines. A compressed one, recognized by its first bytes, is decompressed; an
// uncompressed one is an io.Seeker. It returns a *NotLogError if the file has no lines. Read
// returns a *DamagedError after what could be read.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	start := make([]byte, headBytes)
	n, err := f.ReadAt(start, 0)
	if err != nil && err != io.EOF {
		return nil, errors.Join(err, f.Close())
	}
	c, err := Recognize(start[:n])
	if err != nil {
		return nil, errors.Join(named(path, err), f.Close())
	}
	if c == NotCompressed {
		return f, nil
	}
	d, err := newDecoder(path, c, newInput(f))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &fileDecoder{d, f}, nil
}

// fileDecoder is a compressed file.
type fileDecoder struct {
	*decoder
	file *os.File
}

func (f *fileDecoder) Close() error { return errors.Join(f.decoder.Close(), f.file.Close()) }

// compressedSuffixes are the suffixes of compressed files.
var compressedSuffixes = []string{".gz", ".zst", ".bz2", ".xz"}

// CompressedName reports whether a file has the name of a compressed one. Its content is only known
// from its first bytes: Recognize.
func CompressedName(path string) bool { return trimCompressed(path) != path }

// trimCompressed returns the path without a compressor's suffix.
func trimCompressed(path string) string {
	for _, suffix := range compressedSuffixes {
		if n := len(path) - len(suffix); n > 0 && strings.EqualFold(path[n:], suffix) {
			return path[:n]
		}
	}
	return path
}

// Skip moves a log's reader from its beginning to a position.
func Skip(r io.Reader, position int64) error {
	if s, ok := r.(io.Seeker); ok {
		if end, err := s.Seek(0, io.SeekEnd); err != nil || end < position {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		_, err := s.Seek(position, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, position)
	return err
}

// IDOf returns the file's identity.
func IDOf(info os.FileInfo) (ID, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ID{}, errors.New("the file system reports no inode")
	}
	return ID{uint64(st.Dev), st.Ino}, nil
}

// BornNs returns when an open file was created, in nanoseconds since 1970; 0: not known.
func BornNs(fd int) int64 {
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st); err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
}

// Compressed reports whether the log is compressed.
func (l Log) Compressed() bool { return l.compressed }
