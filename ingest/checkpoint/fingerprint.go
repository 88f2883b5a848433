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
	"sluice/schema"
)

const (
	// tailBytes are enough to distinguish two logs: a whole line with its time.
	tailBytes = 256
	// prefixBytes are compared completely: logs that begin alike usually differ in them.
	prefixBytes = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Mark is start, end and CRC-32C of a range of a stream. It is an array, because there are many and
// that is the shortest form in JSON.
type Mark [3]int64

func markOf(from int64, b []byte) Mark {
	return Mark{from, from + int64(len(b)), int64(crc32.Checksum(b, castagnoli))}
}

func (m Mark) valid() bool { return 0 <= m[0] && m[0] <= m[1] && m[1]-m[0] <= prefixBytes }

func (m Mark) matches(b []byte) bool { return int64(crc32.Checksum(b, castagnoli)) == m[2] }

// Fingerprint is what a file must have to be a stream's log or a copy of it: the stream's first line
// (Head), the checksum of its first prefixBytes, samples after that, and the bytes before the last
// recorded position (Tail). One sample is kept for each power of two of the stream's length: a log
// of any length has few, and a copy can be compared without reading all of it.
type Fingerprint struct {
	// HeadBytes is the length of the stream's first line, and Head its hash.
	HeadBytes int    `json:"head_bytes"`
	Head      string `json:"head"`
	// TailBytes is how many bytes before TailAt have the hash Tail, if known. Together with Head it
	// distinguishes a copy of this log from another log that begins alike.
	TailBytes int    `json:"tail_bytes,omitempty"`
	Tail      string `json:"tail,omitempty"`
	TailAt    int64  `json:"tail_at,omitempty"`
	tail      []byte // the bytes of Tail that are not hashed yet
	// Marks are checksums of the stream's beginning and of samples after it. Checkpoints of older
	// versions have none; then the marks begin where reading continues.
	Marks []Mark `json:"marks,omitempty"`
}

// head returns the first line of b, at most schema.MaxHeadBytes of it.
func head(b []byte) []byte {
	b = b[:min(len(b), schema.MaxHeadBytes)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1]
	}
	return b
}

func hashOf(b []byte) string {
	sum := TailHash(b)
	return hex.EncodeToString(sum[:])
}

// HeadOf returns the hash of the first line of a file that starts with b, as in Fingerprint.Head.
func HeadOf(b []byte) string {
	return hashOf(head(b))
}

// TailHash returns the hash of a stream's last bytes, as in Fingerprints.Tail.
func TailHash(b []byte) [12]byte {
	sum := sha256.Sum256(b)
	return [12]byte(sum[:12])
}

// Begins reports whether a file that starts with b can be the stream.
func (p *Fingerprint) Begins(b []byte) bool {
	return len(b) >= p.HeadBytes && hashOf(b[:p.HeadBytes]) == p.Head
}

// extend records the bytes before position: those of a batch, or at least the last tailBytes.
func (p *Fingerprint) extend(before []byte, position int64) {
	if position < p.TailAt {
		return // the range is read again; the recorded position is after it
	}
	p.extendPrefix(before, position)
	before = before[max(0, len(before)-tailBytes):]
	if power := bits.Len64(uint64(position)); position > prefixBytes && power > bits.Len64(uint64(p.TailAt)) {
		p.Marks = append(p.Marks, markOf(position-int64(len(before)), before))
	}
	p.tail = append(p.tail[:0], before...)
	p.TailBytes, p.TailAt = len(before), position
}

// extendPrefix adds the bytes before position to the first mark, if they continue it and it is
// shorter than prefixBytes.
func (p *Fingerprint) extendPrefix(before []byte, position int64) {
	start := position - int64(len(before))
	if len(p.Marks) == 0 {
		if start >= prefixBytes {
			return
		}
		p.Marks = []Mark{{start, start, 0}}
	}
	m := &p.Marks[0]
	end := min(position, prefixBytes)
	if start > m[1] || end <= m[1] || m[0] >= prefixBytes {
		return
	}
	m[2] = int64(crc32.Update(uint32(m[2]), castagnoli, before[m[1]-start:end-start]))
	m[1] = end
}

// settle calculates Tail from the bytes that extend recorded.
func (p *Fingerprint) settle() {
	if p.tail != nil {
		p.Tail = hashOf(p.tail)
	}
}

// snapshot returns a copy for comparisons after File.mu, which must be held, is released.
func (p *Fingerprint) snapshot() Fingerprint {
	p.settle()
	known := *p
	known.tail, known.Marks = nil, slices.Clone(p.Marks)
	return known
}

// recorded reports whether bytes were recorded that matches can compare.
func (p *Fingerprint) recorded() bool { return p.TailBytes > 0 }

// contradicts reports whether data, which begin at start, differ from the recorded tail. It returns
// false if data do not include all of the tail.
func (p *Fingerprint) contradicts(data []byte, start int64) bool {
	from := p.TailAt - int64(p.TailBytes)
	if p.TailBytes == 0 || from < start || p.TailAt > start+int64(len(data)) {
		return false
	}
	b := data[from-start : p.TailAt-start]
	if p.tail != nil {
		return !bytes.Equal(b, p.tail)
	}
	return hashOf(b) != p.Tail
}

// matches reports whether the content has the fingerprint, except for the first line, which Begins
// compares.
func (p *Fingerprint) matches(open func() (io.ReadCloser, error)) (same bool, err error) {
	r, err := open()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	window := window{r: r}
	for _, m := range p.Marks {
		b, err := window.read(m[0], m[1])
		if err != nil || !m.matches(b) {
			return false, nil // shorter, damaged, or other bytes: not this stream
		}
	}
	b, err := window.read(p.TailAt-int64(p.TailBytes), p.TailAt)
	return err == nil && hashOf(b) == p.Tail, nil
}

// endMatches reports whether a file that can be read anywhere has the first line and the tail.
func (p *Fingerprint) endMatches(f io.ReaderAt) bool {
	start := make([]byte, p.HeadBytes)
	if _, err := f.ReadAt(start, 0); err != nil || !p.Begins(start) {
		return false
	}
	if p.TailBytes == 0 {
		return true
	}
	tail := make([]byte, p.TailBytes)
	_, err := f.ReadAt(tail, p.TailAt-int64(p.TailBytes))
	return err == nil && hashOf(tail) == p.Tail
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
