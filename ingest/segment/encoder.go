package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/flate"

	"sluice/schema"
)

// Encoder encodes batches as members. It is separate from Writer because a compressor's tables take
// about a megabyte: a collector needs one for each worker, not one for each of hundreds of open
// segments. Not safe for concurrent use.
type Encoder struct {
	deflate *flate.Writer
	out     buffer
}

// buffer is the compressor's destination; it grows to the longest member.
type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// newline is a variable because a local slice would be allocated for each use. It is never changed.
var newline = []byte{'\n'}

// DefaultLevel is the default compression level. On real logs in batches of 1 MiB, on one core:
// level 1 compresses 468 MB/s at a ratio of 7.7, level 2 419 MB/s at 8.2, level 3 360 at 8.2, level
// 6 243 at 9.8.
const DefaultLevel = 1

// NewEncoder returns an Encoder with a compression level of 1 (fastest) to 9 (smallest).
func NewEncoder(level int) (*Encoder, error) {
	if level < 1 || level > 9 {
		return nil, fmt.Errorf("segment: compression level %d: use 1 (fastest) to 9 (smallest)", level)
	}
	w, err := flate.NewWriter(nil, level)
	if err != nil {
		return nil, fmt.Errorf("segment: compression level %d: %w", level, err)
	}
	return &Encoder{deflate: w}, nil
}

// encode compresses b into a complete member with the stream's entry, nil for none. The header is
// still empty, because only the writer knows the offset and how much is synced. The bytes belong to
// e and are valid until the next call.
func (e *Encoder) encode(b schema.Batch, entry []byte) ([]byte, Member, error) {
	m, err := describe(b)
	if err != nil {
		return nil, m, err
	}
	e.out = append(e.out[:0], make([]byte, headerBytes)...)
	if entry != nil {
		m.EntryBytes = len(entry)
		e.out = appendEntry(e.out, entry)
	}
	e.deflate.Reset(&e.out)
	if _, err := e.deflate.Write(b.Data); err != nil {
		return nil, m, err
	}
	sum := crc32.ChecksumIEEE(b.Data)
	if m.Unterminated {
		sum = crc32.Update(sum, crc32.IEEETable, newline)
		if _, err := e.deflate.Write(newline); err != nil {
			return nil, m, err
		}
	}
	if err := e.deflate.Close(); err != nil {
		return nil, m, err
	}
	e.out = binary.LittleEndian.AppendUint32(e.out, sum)
	e.out = binary.LittleEndian.AppendUint32(e.out, uint32(m.dataBytes()))
	m.Bytes = int64(len(e.out))
	return e.out, m, nil
}

// describe checks the batch's range and line count against its data: a wrong one in the archive
// would make every later audit wrong.
func describe(b schema.Batch) (Member, error) {
	n := len(b.Data)
	switch {
	case b.Stream == nil:
		return Member{}, fmt.Errorf("batch %v has no stream", b.Range)
	case n == 0 || n > MaxBatchBytes:
		return Member{}, fmt.Errorf("batch %v has %d bytes; 1 to %d can be written", b.Range, n, MaxBatchBytes)
	case b.Range.Start < 0 || b.Range.End < b.Range.Start || b.Range.Len() != int64(n):
		return Member{}, fmt.Errorf("batch %v has %d bytes", b.Range, n)
	}
	unterminated := b.Data[n-1] != '\n'
	if lines := countLines(b.Data); lines != b.Lines {
		return Member{}, fmt.Errorf("batch %v claims %d lines and has %d", b.Range, b.Lines, lines)
	}
	return Member{Stream: b.Stream.ID, Range: b.Range, Lines: b.Lines, Unterminated: unterminated}, nil
}

// countLines counts lines, including a last line without newline.
func countLines(data []byte) int {
	n := bytes.Count(data, newline)
	if len(data) > 0 && data[len(data)-1] != '\n' {
		n++
	}
	return n
}
