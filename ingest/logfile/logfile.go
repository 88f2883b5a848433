// Package logfile opens log files, compressed ones too, and reads them as whole lines.
package logfile

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// ID is a file as the file system knows it.
type ID struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// Log is a log file to be read once, from beginning to end.
type Log struct {
	Path string // absolute
	ID   ID
	// BornNs is when the file was made, nanoseconds since 1970; 0 where the file
	// system does not tell.
	BornNs     int64
	compressed bool
}

// Look looks at a file: it must be a regular file (or a link to one) that
// can be read.
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
		return Log{}, fmt.Errorf("%s is no regular file", path)
	}
	id, err := IDOf(info)
	if err != nil {
		return Log{}, fmt.Errorf("%s: %w", path, err)
	}
	// The next run may be started in another folder.
	absolute, err := filepath.Abs(path)
	return Log{Path: absolute, ID: id, BornNs: BornNs(int(f.Fd())), compressed: CompressedName(path)}, err
}

// Open returns the log's lines from the beginning: what a compressed file holds.
func (l Log) Open() (io.ReadCloser, error) { return Open(l.Path) }

// Open opens a file of lines; one whose name ends in .gz, .zst or .bz2 is read
// as what it holds.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	wrap := decompressor(path)
	if wrap == nil {
		return f, nil
	}
	r, err := wrap(bufio.NewReaderSize(f, 64<<10))
	if err == io.EOF { // an empty file is no gzip file, and no lines
		return f, nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{r, f}, nil
}

// maxWindowBytes bounds what a .zst file can make its reader allocate.
const maxWindowBytes = 128 << 20

func decompressor(path string) func(io.Reader) (io.Reader, error) {
	switch {
	case strings.HasSuffix(path, ".gz"):
		return func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	case strings.HasSuffix(path, ".zst"):
		return func(r io.Reader) (io.Reader, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindowBytes))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		}
	case strings.HasSuffix(path, ".bz2"):
		return func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }
	}
	return nil
}

// CompressedName reports whether a file of that name is read as what it holds.
func CompressedName(path string) bool { return decompressor(path) != nil }

// Skip moves a log's reader to a position.
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

// IDOf returns what the file system calls the file.
func IDOf(info os.FileInfo) (ID, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ID{}, errors.New("the file system tells no inode")
	}
	return ID{uint64(st.Dev), st.Ino}, nil
}

// BornNs is when an open file was made, nanoseconds since 1970; 0 where the file
// system does not tell.
func BornNs(fd int) int64 {
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st); err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
}

// Compressed reports whether the file's length is not that of its lines.
func (l Log) Compressed() bool { return l.compressed }
