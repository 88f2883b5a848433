package logfile

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindowBytes limits the allocation for a compressed file: the window of zstd -19 --long, the
// dictionary of xz -9 and more.
const maxWindowBytes = 128 << 20

// DamagedError reports compressed data that cannot be decompressed to its end. Lines that were read
// before it may come from data whose checksum was not verified.
type DamagedError struct {
	Path        string
	Compression Compression
	Offset      int64 // bytes of the file that were read
	Err         error
}

func (e *DamagedError) Error() string {
	text := e.Err.Error()
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		text = "the file ends too early"
	}
	return fmt.Sprintf("%s: the %s data cannot be read beyond byte %d: %s", e.Path, e.Compression, e.Offset, text)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// NewReader returns a reader of the lines in r, named name in errors, decompressed if its first
// bytes require it. It returns a *NotLogError if r has no lines.
func NewReader(name string, r io.Reader) (io.ReadCloser, error) {
	in := newInput(r)
	start, err := in.start()
	if err != nil {
		return nil, fmt.Errorf("%s: read: %w", name, err)
	}
	c, err := Recognize(start)
	if err != nil {
		return nil, named(name, err)
	}
	if c == NotCompressed {
		return io.NopCloser(in), nil
	}
	return newDecoder(name, c, in)
}

func named(path string, err error) error {
	var not *NotLogError
	if errors.As(err, &not) {
		return &NotLogError{path, not.Content, not.Hint}
	}
	return err
}

// input is a compressed file that counts how much of it was used.
type input struct {
	*bufio.Reader
	source *source
}

// source counts what is read, and stores the error of reading.
type source struct {
	r    io.Reader
	read int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.read += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func newInput(r io.Reader) *input {
	s := &source{r: r}
	return &input{bufio.NewReaderSize(s, 64<<10), s}
}

func (in *input) used() int64 { return in.source.read - int64(in.Buffered()) }

// start returns the first bytes that are available without waiting for more, because r may be a
// terminal or a pipe.
func (in *input) start() ([]byte, error) {
	for n := 1; ; {
		start, err := in.Peek(n)
		if err == nil && n < in.Buffered() {
			start, err = in.Peek(in.Buffered())
		}
		if err == io.EOF {
			return start, nil
		}
		if err != nil || !undecided(start) {
			return start, err
		}
		n = len(start) + 1
	}
}

// decoder reads a compressed file.
type decoder struct {
	path        string
	compression Compression
	in          *input
	lines       io.Reader
	release     func()
	ahead       []byte // read for its recognition
	err         error  // returned after ahead
}

// newDecoder begins to read a compressed file and recognizes its content.
func newDecoder(path string, c Compression, in *input) (*decoder, error) {
	d := &decoder{path: path, compression: c, in: in, release: func() {}}
	if err := d.open(); err != nil {
		d.err = d.failed(err)
		return d, nil // no line of it can be read; the first Read returns the error
	}
	head := make([]byte, headBytes)
	n, err := readFull(d.lines, head)
	if d.ahead = head[:n]; err != nil {
		d.err = d.failed(err)
	}
	inner, err := Recognize(d.ahead)
	if err == nil && inner != NotCompressed {
		err = &NotLogError{Content: inner.String() + " data, compressed once more with " + c.String(), Hint: decompressHint}
	}
	if err != nil {
		d.release()
		return nil, named(path, err)
	}
	return d, nil
}

// readFull is io.ReadFull that returns the reader's own error.
func readFull(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = r.Read(b[n:])
		n += k
	}
	return n, err
}

func (d *decoder) open() error {
	switch d.compression {
	case Gzip:
		d.lines = &members{in: d.in.Reader, z: new(gzip.Reader)}
	case Zstd:
		z, err := zstd.NewReader(d.in.Reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindowBytes))
		if err != nil {
			return err
		}
		d.lines, d.release = &drained{Reader: z}, z.Close
	case Bzip2:
		d.lines = bzip2.NewReader(d.in.Reader)
	default:
		d.lines = &xzReader{in: d.in.Reader}
	}
	return nil
}

func (d *decoder) Read(p []byte) (int, error) {
	if len(d.ahead) > 0 {
		n := copy(p, d.ahead)
		d.ahead = d.ahead[n:]
		return n, nil
	}
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.lines.Read(p)
	if err != nil {
		d.err = d.failed(err)
	}
	return n, d.err
}

func (d *decoder) failed(err error) error {
	switch {
	case d.in.source.err != nil:
		return fmt.Errorf("%s: read at byte %d: %w", d.path, d.in.used(), d.in.source.err)
	case err == io.EOF && d.lines != nil:
		return io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return &DamagedError{d.path, d.compression, d.in.used(), err}
}

func (d *decoder) Close() error {
	d.release()
	return nil
}

// members reads a gzip file member by member, to distinguish data after the last member from a
// damaged member.
type members struct {
	in     *bufio.Reader
	z      *gzip.Reader
	inside bool
}

var errNoMember = errors.New("the data after the last gzip member is not gzip")

func (m *members) Read(p []byte) (int, error) {
	for {
		if !m.inside {
			if err := m.next(); err != nil {
				return 0, err
			}
		}
		n, err := m.z.Read(p)
		if err == io.EOF {
			m.inside, err = false, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next begins the next member; io.EOF: there is none.
func (m *members) next() error {
	head, err := m.in.Peek(2)
	if len(head) == 0 {
		return err
	}
	if begin := "\x1f\x8b"; string(head) != begin[:len(head)] {
		return errNoMember
	}
	if err := m.z.Reset(m.in); err == io.EOF {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	m.z.Multistream(false)
	m.inside = true
	return nil
}

// drained returns what zstd's reader still has when a checksum is wrong or cut off: that reader
// returns the error before the last block.
type drained struct {
	io.Reader
	err error
}

func (d *drained) Read(p []byte) (n int, err error) {
	if d.err == nil {
		if n, d.err = d.Reader.Read(p); n > 0 || d.err == nil || d.err == io.EOF {
			return n, nonzero(n, d.err)
		}
	}
	if d.err != io.EOF {
		n, _ = d.Reader.Read(p)
	}
	return n, nonzero(n, d.err)
}

// nonzero returns err only if no bytes precede it.
func nonzero(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}
