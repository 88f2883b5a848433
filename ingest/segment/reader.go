package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// Reader reads a segment member by member. Next reads 62 bytes of a member, Data inflates one. No
// length in the file is trusted: memory is limited by MaxBatchBytes and by what the member's
// compressed bytes can hold. Not safe for concurrent use.
type Reader struct {
	src    io.ReaderAt
	size   int64
	next   int64
	member Member
	synced int64 // the value in the member's header

	header  [headerBytes]byte
	raw     []byte
	data    []byte
	body    bytes.Reader
	more    [1]byte       // a local array would be allocated for each member
	inflate io.ReadCloser // also a flate.Resetter
}

// NewReader returns a Reader of the first size bytes of src, which must not change meanwhile.
func NewReader(src io.ReaderAt, size int64) *Reader {
	return &Reader{src: src, size: size}
}

// keptBytes is how much memory of each buffer Reset keeps.
const keptBytes = 2 << 20

// Reset makes the Reader one of another segment, as NewReader does, and keeps its memory.
func (r *Reader) Reset(src io.ReaderAt, size int64) {
	if cap(r.raw) > keptBytes {
		r.raw = nil
	}
	if cap(r.data) > keptBytes {
		r.data = nil
	}
	r.src, r.size, r.next, r.member, r.synced = src, size, 0, Member{}, 0
}

// Next returns the next member's description. At the end it returns io.EOF. If the bytes are not a
// member, or the file ends within one, it returns a *FormatError and stays there. Any other error
// is from src. The data of a member with an intact header may still be damaged; Data checks it.
func (r *Reader) Next() (Member, error) {
	left := r.size - r.next
	if left == 0 {
		return Member{}, io.EOF
	}
	r.member = Member{}
	if left < headerBytes {
		return Member{}, r.bad(r.next, fmt.Sprintf("the file ends after %d bytes of its header", left))
	}
	if err := readFull(r.src, r.header[:], r.next); err != nil {
		return Member{}, fmt.Errorf("segment: read header at byte %d: %w", r.next, err)
	}
	m, synced, bad := parseHeader(r.header[:], r.next)
	if bad != nil {
		return Member{}, bad
	}
	if m.Bytes > left {
		return Member{}, r.bad(r.next, fmt.Sprintf("the file ends after %d of its %d bytes", left, m.Bytes))
	}
	r.member, r.synced, r.next = m, synced, m.End()
	return m, nil
}

// At positions the reader at m, which a Reader of the same file returned: Data and Entry read m,
// and Next the member after it.
func (r *Reader) At(m Member) { r.member, r.next = m, m.End() }

// Resync continues after a *FormatError of Next: it searches the next intact header and returns how
// many bytes are skipped, up to there or to the end.
func (r *Reader) Resync() (skippedBytes int64, err error) {
	from := r.next
	at, err := findHeader(r.src, from+1, r.size, func(int64) bool { return true })
	if err != nil {
		return 0, fmt.Errorf("segment: look for a member after byte %d: %w", from, err)
	}
	if at < 0 {
		at = r.size
	}
	r.next = at
	return at - from, nil
}

// findHeader returns the offset in [from, size) of the first intact header for whose synced field
// want returns true, or -1.
func findHeader(src io.ReaderAt, from, size int64, want func(synced int64) bool) (int64, error) {
	const stepBytes = 1 << 20
	buf := make([]byte, max(0, min(size-from, stepBytes+headerBytes-1)))
	magic := []byte(headerPrefix[:xlenAt])
	for at := from; size-at >= headerBytes; at += stepBytes {
		window := buf[:min(int64(len(buf)), size-at)]
		if err := readFull(src, window, at); err != nil {
			return -1, err
		}
		for i := 0; ; i++ {
			j := bytes.Index(window[i:], magic)
			if j < 0 || len(window)-i-j < headerBytes {
				break
			}
			i += j
			if _, synced, bad := parseHeader(window[i:], at+int64(i)); bad == nil && want(synced) {
				return at + int64(i), nil
			}
		}
	}
	return -1, nil
}

// Data inflates the member that Next returned and verifies its checksum, length and line count. It
// returns the range's bytes as they are in the log, without a newline that was added. The bytes
// belong to the reader and are valid until the next call. Damage is reported as a *FormatError,
// after which Next can continue.
func (r *Reader) Data() ([]byte, error) {
	m := r.member
	if m.Bytes == 0 {
		return nil, errors.New("segment: data asked for before a member was found")
	}
	r.raw = grow(r.raw, int(m.Bytes))
	if err := readFull(r.src, r.raw, m.Offset); err != nil {
		return nil, fmt.Errorf("segment: read member at byte %d: %w", m.Offset, err)
	}
	if m.EntryBytes > 0 {
		if _, err := checkEntry(r.raw[headerBytes:m.headBytes()]); err != nil {
			return nil, r.bad(m.Offset, err.Error())
		}
	}
	trailer := r.raw[len(r.raw)-trailerBytes:]
	r.body.Reset(r.raw[m.headBytes() : len(r.raw)-trailerBytes])
	if err := r.fill(m.dataBytes()); err != nil {
		return nil, r.bad(m.Offset, err.Error())
	}
	switch {
	case crc32.ChecksumIEEE(r.data) != binary.LittleEndian.Uint32(trailer):
		return nil, r.bad(m.Offset, "the checksum of its lines is wrong")
	case uint32(len(r.data)) != binary.LittleEndian.Uint32(trailer[4:]):
		return nil, r.bad(m.Offset, "the length in its trailer is wrong")
	case r.data[len(r.data)-1] != '\n' || countLines(r.data) != m.Lines:
		return nil, r.bad(m.Offset, fmt.Sprintf("it does not have the %d whole lines that its header claims", m.Lines))
	}
	return r.data[:m.Range.Len()], nil
}

// fill inflates body into data, which must have exactly n bytes.
func (r *Reader) fill(n int) error {
	if r.inflate == nil {
		r.inflate = flate.NewReader(&r.body)
	} else if err := r.inflate.(flate.Resetter).Reset(&r.body, nil); err != nil {
		return err
	}
	r.data = grow(r.data, n)
	if _, err := io.ReadFull(r.inflate, r.data); err != nil {
		return fmt.Errorf("its data cannot be inflated to %d bytes: %w", n, err)
	}
	if k, err := r.inflate.Read(r.more[:]); k != 0 || err != io.EOF {
		return fmt.Errorf("its data does not end after %d bytes", n)
	}
	if r.body.Len() != 0 {
		return fmt.Errorf("%d bytes follow its data", r.body.Len())
	}
	return nil
}

func (r *Reader) bad(offset int64, reason string) error {
	return &FormatError{Offset: offset, Reason: reason}
}

// grow returns a slice of n bytes; it uses b's array if that is long enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// readFull reads len(p) bytes at offset, or returns io.ErrUnexpectedEOF if the file is too short.
func readFull(src io.ReaderAt, p []byte, offset int64) error {
	n, err := src.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
