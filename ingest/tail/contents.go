package tail

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"golang.org/x/sys/unix"
)

// contents compares the contents of files: their first lines, and the mark before a position.
type contents struct {
	*env
	seed    maphash.Seed
	scratch []byte // buffer for the beginning of a file
	before  [markBytes]byte
}

// markOf returns the hash of the last markBytes before a position.
func (c *contents) markOf(before []byte) uint64 {
	return maphash.Bytes(c.seed, before[max(0, len(before)-markBytes):])
}

// markSize returns how many bytes before the position are compared.
func (f *file) markSize() int { return int(min(f.read, markBytes)) }

// takeMark stores the hash of the bytes before the file's position.
func (c *contents) takeMark(f *file) error {
	b := c.before[:f.markSize()]
	n, err := pread(f.fd, b, f.read-int64(len(b)))
	if err != nil {
		return err
	}
	if n < len(b) {
		return errors.New("it is shorter than what is stored of it")
	}
	f.mark = c.markOf(b)
	return nil
}

// sameMark reports whether the bytes before a file's position are unchanged.
func (c *contents) sameMark(f *file) bool {
	b := c.before[:f.markSize()]
	n, err := pread(f.fd, b, f.read-int64(len(b)))
	return err == nil && n == len(b) && c.markOf(b) == f.mark
}

// pread reads at offset once. A regular file returns fewer bytes than requested only at its end.
// Calling again to be certain was rejected: it would double the cost of a look, and the next look
// finds what it would find.
func pread(fd int, b []byte, offset int64) (int, error) {
	for {
		n, err := unix.Pread(fd, b, offset)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// preadFull reads until b is full or the file ends.
func preadFull(fd int, b []byte, offset int64) (int, error) {
	for read := 0; read < len(b); {
		n, err := pread(fd, b[read:], offset+int64(read))
		read += n
		if err != nil {
			return read, err
		}
		if n == 0 {
			return read, io.EOF
		}
	}
	return len(b), nil
}

// readerAt reads from a descriptor that it does not own.
type readerAt int

func (r readerAt) ReadAt(b []byte, offset int64) (int, error) { return preadFull(int(r), b, offset) }

// fileSize returns the length of an open file.
func fileSize(fd int) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	return st.Size, nil
}

// sourceOf reads an open file from its beginning. Close does not close it.
type sourceOf struct {
	io.ReadSeeker
}

func (sourceOf) Close() error { return nil }

// contentOf returns the function that opens f's content for a comparison.
func contentOf(f *file) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		size, err := fileSize(f.fd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.path(), err)
		}
		return sourceOf{io.NewSectionReader(readerAt(f.fd), 0, size)}, nil
	}
}

// lastLine returns the position behind the file's last newline.
func lastLine(f *file) (int64, error) {
	b := make([]byte, minRead)
	size, err := fileSize(f.fd)
	if err != nil {
		return 0, err
	}
	for end := size; end > 0; {
		start := max(0, end-int64(len(b)))
		n, err := pread(f.fd, b[:end-start], start)
		if err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}
