package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"

	"sluice/ingest/logfile"
)

// A stream's fingerprint is its first line (Head), the checksum of its first
// prefixBytes, samples on the way, and the bytes before the last position that was
// noted (Tail). One sample is kept for each power of two that the stream grew
// beyond: a log of any length has few, and a copy is compared without reading all
// of it.

const (
	// tailBytes are enough to tell a log from another: a whole line, its time too.
	tailBytes = 256
	// prefixBytes are compared whole: logs that begin alike differ in them, if at all.
	prefixBytes = 64 << 10
)

// Mark is bytes [from, to) of a stream and their CRC-32C, in this order: as small in
// JSON as it can be, as there are many.
type Mark [3]int64

func markOf(from int64, b []byte) Mark {
	return Mark{from, from + int64(len(b)), int64(crc32.Checksum(b, castagnoli))}
}

func (m Mark) valid() bool { return 0 <= m[0] && m[0] <= m[1] && m[1]-m[0] <= prefixBytes }

func (m Mark) matches(b []byte) bool { return int64(crc32.Checksum(b, castagnoli)) == m[2] }

// Remember notes the bytes before position, for Holds: a batch's, or at least the
// last tailBytes. They are copied; what they hash to is calculated when it is asked
// for: thousands of batches a second come by.
func (c *File) Remember(t *Stream, before []byte, position int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if position < t.TailAt {
		return // it is read again, from before what was noted
	}
	t.extendPrefix(before, position)
	before = before[max(0, len(before)-tailBytes):]
	if power := bits.Len64(uint64(position)); position > prefixBytes && power > bits.Len64(uint64(t.TailAt)) {
		t.Marks = append(t.Marks, markOf(position-int64(len(before)), before))
	}
	t.tail = append(t.tail[:0], before...)
	t.TailBytes, t.TailAt = len(before), position
}

// RememberLast is Remember for what is behind all that was noted before.
func (c *File) RememberLast(t *Stream, before []byte, position int64) {
	c.mu.Lock()
	behind := position > t.TailAt
	c.mu.Unlock()
	if behind { // another sender's, in the moment between, does no harm
		c.Remember(t, before, position)
	}
}

// Tail returns what Remember noted last: length bytes before at have that hash. length is
// 0 where nothing was noted.
func (c *File) Tail(t *Stream) (at int64, hash [12]byte, length int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.settleTail()
	sum, err := hex.DecodeString(t.Tail)
	if err != nil || len(sum) != len(hash) || t.TailBytes == 0 {
		return 0, hash, 0
	}
	return t.TailAt, [12]byte(sum), t.TailBytes
}

// TailHash is the hash of a stream's last bytes, as Tail returns it.
func TailHash(b []byte) [12]byte {
	sum := sha256.Sum256(b)
	return [12]byte(sum[:12])
}

// Contradicts reports whether data, which stand at start, have other bytes than were noted
// where both have them.
func (c *File) Contradicts(t *Stream, data []byte, start int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := t.TailAt - int64(t.TailBytes)
	if t.TailBytes == 0 || from < start || t.TailAt > start+int64(len(data)) {
		return false
	}
	b := data[from-start : t.TailAt-start]
	if t.tail != nil {
		return !bytes.Equal(b, t.tail)
	}
	return hashOf(b) != t.Tail
}

// extendPrefix takes the bytes before position into the first mark, as long as it
// is without a hole and shorter than prefixBytes.
func (t *Stream) extendPrefix(before []byte, position int64) {
	start := position - int64(len(before))
	if len(t.Marks) == 0 {
		if start >= prefixBytes {
			return
		}
		t.Marks = []Mark{{start, start, 0}}
	}
	m := &t.Marks[0]
	end := min(position, prefixBytes)
	if start > m[1] || end <= m[1] || m[0] >= prefixBytes {
		return
	}
	m[2] = int64(crc32.Update(uint32(m[2]), castagnoli, before[m[1]-start:end-start]))
	m[1] = end
}

// settleTail brings Tail up to date with what Remember noted.
func (t *Stream) settleTail() {
	if t.tail != nil {
		t.Tail = hashOf(t.tail)
	}
}

// HasTail reports whether bytes were noted that Holds can look for.
func (c *File) HasTail(t *Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.TailBytes > 0
}

// Holds reports whether the content has the stream's fingerprint, but for the first
// line: Stream.Begins.
func (c *File) Holds(t *Stream, open func() (io.ReadCloser, error)) (bool, error) {
	c.mu.Lock()
	t.settleTail()
	known := *t
	known.Marks = slices.Clone(t.Marks)
	c.mu.Unlock()
	return known.contentMatches(open)
}

// HoldsEnd is Holds for a file that is known to be the stream's by its inode and the
// time when it was made: only the last bytes are compared, for somebody may have edited
// it in place.
func (c *File) HoldsEnd(t *Stream, open func() (io.ReadCloser, error)) (bool, error) {
	c.mu.Lock()
	t.settleTail()
	known := *t
	known.Marks = nil
	c.mu.Unlock()
	return known.contentMatches(open)
}

func (t *Stream) contentMatches(open func() (io.ReadCloser, error)) (same bool, err error) {
	r, err := open()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	window := window{r: r}
	for _, m := range t.Marks {
		b, err := window.read(m[0], m[1])
		if err != nil || !m.matches(b) {
			return false, nil // shorter, damaged, or other bytes: it is not this stream
		}
	}
	b, err := window.read(t.TailAt-int64(t.TailBytes), t.TailAt)
	return err == nil && hashOf(b) == t.Tail, nil
}

// window reads ranges of content that may overlap, in order of their ends, from a
// reader that may not be able to go back.
type window struct {
	r    io.Reader
	last []byte // the bytes before at
	at   int64
}

// read returns the bytes [start, end), valid until the next read.
func (w *window) read(start, end int64) ([]byte, error) {
	switch kept := w.at - int64(len(w.last)); {
	case end < w.at || start < kept:
		return nil, errors.New("ranges are not in order")
	case start >= w.at:
		var err error
		if s, seekable := w.r.(io.Seeker); seekable {
			err = logfile.Skip(s.(io.Reader), start)
		} else {
			_, err = io.CopyN(io.Discard, w.r, start-w.at)
		}
		if err != nil {
			return nil, err
		}
		w.last, w.at = w.last[:0], start
	default:
		w.last = append(w.last[:0], w.last[start-kept:]...)
	}
	n := len(w.last)
	w.last = append(w.last, make([]byte, end-w.at)...)
	_, err := io.ReadFull(w.r, w.last[n:])
	w.at = end
	return w.last, err
}
