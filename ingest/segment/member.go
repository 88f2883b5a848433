package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"sluice/schema"
)

const (
	// MaxBatchBytes is the longest range of one member.
	MaxBatchBytes = 64 << 20

	headerBytes  = 62
	trailerBytes = 8
	// minBodyBytes is the least: the shortest deflate stream of one byte has three.
	minBodyBytes = 3 + trailerBytes
	// maxMemberBytes leaves space for data that deflate cannot compress (five bytes for each stored
	// block, of 65,535 bytes or, at worst, far fewer).
	maxMemberBytes = MaxBatchBytes + MaxBatchBytes/64 + maxEntryBytes + 1024
	// maxInflation is deflate's limit: 258 bytes from two bits. A header that claims more is
	// invalid, so it cannot cause a large allocation.
	maxInflation = 1032

	flagUnterminated = 1 << 0
	flagEntry        = 1 << 1
)

// headerPrefix are the first bytes of every member, including the version. The two bytes at xlenAt
// differ in members that have an entry.
const (
	headerPrefix = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x32\x00SL\x2e\x00\x01"
	xlenAt       = 10
	xlen         = headerBytes - xlenAt - 2
)

// castagnoli is never changed.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Member describes one batch in a segment.
type Member struct {
	Stream schema.StreamID
	Range  schema.Range
	Lines  int
	// Unterminated is true if the log's last line has no newline. The gzip data has one
	// nevertheless, so that lines are always separated; it is not counted in Range.
	Unterminated bool
	// EntryBytes is the length of the stream's entry in the member's header, 0 for none.
	// Reader.Entry returns it.
	EntryBytes int
	// Offset and Bytes are the member's position and length in the file.
	Offset, Bytes int64
}

// End is the offset of the byte after the member.
func (m Member) End() int64 { return m.Offset + m.Bytes }

// dataBytes returns the length of the inflated data.
func (m Member) dataBytes() int {
	n := int(m.Range.Len())
	if m.Unterminated {
		n++
	}
	return n
}

// headBytes returns the length of the header including the entry.
func (m Member) headBytes() int {
	if m.EntryBytes == 0 {
		return headerBytes
	}
	return headerBytes + entryFrameBytes + m.EntryBytes
}

// FormatError reports bytes that are not a segment's.
type FormatError struct {
	Offset int64 // of the member in the file
	Reason string
	// Foreign is true if the header's checksum is correct and its content is not known: it is from
	// a later version or a defective program. A torn write never looks like that.
	Foreign bool
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("member at byte %d: %s", e.Offset, e.Reason)
}

// putHeader fills the first headerBytes of dst. The entry, if any, must already follow them.
func putHeader(dst []byte, m Member, synced int64) {
	n := copy(dst, headerPrefix)
	dst[n] = 0
	if m.Unterminated {
		dst[n] |= flagUnterminated
	}
	if m.EntryBytes > 0 {
		dst[n] |= flagEntry
	}
	binary.LittleEndian.PutUint16(dst[xlenAt:], uint16(m.headBytes()-xlenAt-2))
	be := binary.BigEndian
	be.PutUint64(dst[18:], uint64(m.Stream))
	be.PutUint64(dst[26:], uint64(m.Range.Start))
	be.PutUint64(dst[34:], uint64(m.Range.End))
	be.PutUint32(dst[42:], uint32(m.Lines))
	be.PutUint32(dst[46:], uint32(m.Bytes))
	be.PutUint64(dst[50:], uint64(synced))
	be.PutUint32(dst[58:], crc32.Checksum(dst[:58], castagnoli))
}

// parseHeader parses what putHeader wrote; src must have at least headerBytes. If bad is nil every
// number is within its limits, and inflating needs no more than maxInflation times the member's
// length.
func parseHeader(src []byte, offset int64) (m Member, synced int64, bad *FormatError) {
	const versionAt = len(headerPrefix) - 1
	be := binary.BigEndian
	if string(src[:xlenAt]) != headerPrefix[:xlenAt] || string(src[xlenAt+2:versionAt]) != headerPrefix[xlenAt+2:versionAt] {
		return m, 0, &FormatError{Offset: offset, Reason: "not the header of a segment's member"}
	}
	if crc32.Checksum(src[:58], castagnoli) != be.Uint32(src[58:]) {
		return m, 0, &FormatError{Offset: offset, Reason: "the header's checksum is wrong"}
	}
	m = Member{
		Stream:       schema.StreamID(be.Uint64(src[18:])),
		Range:        schema.Range{Start: int64(be.Uint64(src[26:])), End: int64(be.Uint64(src[34:]))},
		Lines:        int(be.Uint32(src[42:])),
		Unterminated: src[17]&flagUnterminated != 0,
		Offset:       offset,
		Bytes:        int64(be.Uint32(src[46:])),
	}
	synced = int64(be.Uint64(src[50:]))
	// All bytes after the first subfield are the entry.
	behind := int(binary.LittleEndian.Uint16(src[xlenAt:])) - xlen
	if src[17]&flagEntry != 0 {
		m.EntryBytes = behind - entryFrameBytes
	}
	reason := ""
	switch n := m.Range.Len(); {
	case src[versionAt] != headerPrefix[versionAt]:
		reason = fmt.Sprintf("version %d, and only 1 is known", src[versionAt])
	case src[17]&^(flagUnterminated|flagEntry) != 0:
		reason = fmt.Sprintf("unknown flags %#x", src[17])
	case m.EntryBytes == 0 && behind != 0 || m.EntryBytes < 0 || m.EntryBytes > maxEntryBytes || src[17]&flagEntry != 0 && m.EntryBytes == 0:
		reason = fmt.Sprintf("%d unknown bytes in its header", behind)
	case m.Range.Start < 0 || m.Range.End < 0 || n <= 0 || n > MaxBatchBytes:
		reason = fmt.Sprintf("impossible range %v", m.Range)
	case m.Lines <= 0 || int64(m.Lines) > n:
		reason = fmt.Sprintf("%d lines in %d bytes", m.Lines, n)
	case m.Bytes < int64(m.headBytes()+minBodyBytes) || m.Bytes > maxMemberBytes || n/maxInflation > m.Bytes:
		reason = fmt.Sprintf("impossible length %d for %d bytes of log", m.Bytes, n)
	case synced < 0 || synced > offset:
		reason = fmt.Sprintf("it claims that %d bytes before it are synced", synced)
	}
	if reason != "" {
		return Member{}, 0, &FormatError{Offset: offset, Reason: reason, Foreign: true}
	}
	return m, synced, nil
}
