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

// A stream's fingerprint consists of its first line (Head), the checksum of its first prefixBytes,
// samples after that, and the bytes before the last recorded position (Tail). One sample is kept
// for each power of two of the stream's length: a log of any length has few, and a copy can be
// compared without reading all of it.

const (
	// tailBytes are enough to distinguish two logs: a whole line with its time.
	tailBytes = 256
	// prefixBytes are compared completely: logs that begin alike usually differ in them.
	prefixBytes = 64 << 10
)

// Mark is start, end and CRC-32C of a range of a stream. It is an array, because there are many and
// that is the shortest form in JSON.
type Mark [3]int64

func markOf(from int64, b []byte) Mark {
	return Mark{from, from + int64(len(b)), int64(crc32.Checksum(b, castagnoli))}
}

func (m Mark) valid() bool { return 0 <= m[0] && m[0] <= m[1] && m[1]-m[0] <= prefixBytes }

func (m Mark) matches(b []byte) bool { return int64(crc32.Checksum(b, castagnoli)) == m[2] }

// Remember records the bytes before position for Holds: those of a batch, or at least the last
// tailBytes. They are copied. Their hash is only calculated when it is needed, because Remember is
// called thousands of times a second.
func (c *File) Remember(t *Stream, before []byte, position int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if position < t.TailAt {
		return // the range is read again; the recorded position is after it
	}
	t.extendPrefix(before, position)
	before = before[max(0, len(before)-tailBytes):]
	if power := bits.Len64(uint64(position)); position > prefixBytes && power > bits.Len64(uint64(t.TailAt)) {
		t.Marks = append(t.Marks, markOf(position-int64(len(before)), before))
	}
	t.tail = append(t.tail[:0], before...)
	t.TailBytes, t.TailAt = len(before), position
}

// RememberLast is Remember if position is after all that was recorded before.
func (c *File) RememberLast(t *Stream, before []byte, position int64) {
	c.mu.Lock()
	behind := position > t.TailAt
	c.mu.Unlock()
	if behind { // a concurrent call of another sender in between is harmless
		c.Remember(t, before, position)
	}
}

// Tail returns what Remember recorded last: the hash of the length bytes before at. length is 0 if
// nothing was recorded.
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

// TailHash returns the hash of a stream's last bytes, as in Tail.
func TailHash(b []byte) [12]byte {
	sum := sha256.Sum256(b)
	return [12]byte(sum[:12])
}

// Contradicts reports whether data, which begin at start, differ from the recorded tail. It returns
// false if data do not include all of the tail.
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

// extendPrefix adds the bytes before position to the first mark, if they continue it and it is
// shorter than prefixBytes.
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

// settleTail calculates Tail from the bytes that Remember recorded.
func (t *Stream) settleTail() {
	if t.tail != nil {
		t.Tail = hashOf(t.tail)
	}
}

// HasTail reports whether bytes were recorded that Holds can compare.
func (c *File) HasTail(t *Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.TailBytes > 0
}

// Holds reports whether the content has the stream's fingerprint, except for the first line, which
// Stream.Begins compares.
func (c *File) Holds(t *Stream, open func() (io.ReadCloser, error)) (bool, error) {
	c.mu.Lock()
	t.settleTail()
	known := *t
	known.Marks = slices.Clone(t.Marks)
	c.mu.Unlock()
	return known.contentMatches(open)
}

// HoldsEnd is Holds for a file that is known to be the stream's by its inode and birth time: only
// the last bytes are compared, because the file may have been edited in place.
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
			return false, nil // shorter, damaged, or other bytes: not this stream
		}
	}
	b, err := window.read(t.TailAt-int64(t.TailBytes), t.TailAt)
	return err == nil && hashOf(b) == t.Tail, nil
}

// window reads ranges of content, which may overlap, in the order of their ends, from a reader that
// may not be able to seek.
type window struct {
	r    io.Reader
	last []byte // the bytes before at
	at   int64
}

// read returns the bytes [start, end). They are valid until the next read.
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
