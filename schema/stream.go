package schema

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
)

// StreamID names a stream: one log file on one host for its whole life, through
// renames. It is a hash of host, device, inode and first line (StreamSeed).
type StreamID uint64

// String is 16 hexadecimal digits, as in row keys and file names.
func (id StreamID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// ParseStreamID reads what String writes.
func ParseStreamID(s string) (StreamID, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("stream id %q is not 16 hexadecimal digits", s)
	}
	return StreamID(n), nil
}

// StreamSeed is what makes a file this file and no other, apart from its host: a hash of
// device, inode and first line. With a host's name it makes a StreamID, so whoever shows
// the seed shows that the id belongs to that host.
type StreamSeed [16]byte

// NewStreamSeed hashes a file's identity. firstLine is the file's first line, or its
// first MaxHeadBytes where the line is longer.
func NewStreamSeed(device, inode uint64, firstLine []byte) StreamSeed {
	h := sha256.New()
	var b [16]byte
	binary.BigEndian.PutUint64(b[0:], device)
	binary.BigEndian.PutUint64(b[8:], inode)
	h.Write(b[:])
	h.Write(firstLine)
	return StreamSeed(h.Sum(nil))
}

// ID is the stream's id on a host.
func (s StreamSeed) ID(host string) StreamID { return streamID("stream", host, s[:]) }

// NewStreamID is the id of a file on a host.
func NewStreamID(host string, device, inode uint64, firstLine []byte) StreamID {
	return NewStreamSeed(device, inode, firstLine).ID(host)
}

// ForeignStreamID is the id under which a collector stores a stream whose sender named it
// by an id without a seed: another host that names the same id gets another one.
func ForeignStreamID(host string, named StreamID) StreamID {
	return streamID("named", host, binary.BigEndian.AppendUint64(nil, uint64(named)))
}

func streamID(kind, host string, what []byte) StreamID {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %s", kind, len(host), host)
	h.Write(what)
	return StreamID(binary.BigEndian.Uint64(h.Sum(nil)))
}

// MaxHeadBytes bounds what of a first line goes into a stream's identity.
const MaxHeadBytes = 4096

// Stream is a log file and what is known of it. It does not change once made.
type Stream struct {
	ID     StreamID
	Host   string
	Path   string // where the file was first seen
	Format string // LogFormat, its nickname, or "pattern:" and a regular expression
	// Zone is that of times whose format says none: an IANA name, "" for UTC.
	Zone string
	// Sparse: its lines came from a sender that says where each begins, and nothing
	// of what is between: Flume. Ranges may come in any order, and holes stay.
	Sparse bool `json:",omitempty"`
}

// Range is the bytes [Start, End) of a stream. For a compressed log they count
// what it holds, not the file.
type Range struct{ Start, End int64 }

// Len is the number of bytes.
func (r Range) Len() int64 { return r.End - r.Start }

func (r Range) String() string { return fmt.Sprintf("[%d,%d)", r.Start, r.End) }

// Batch is a range of whole lines of one stream.
type Batch struct {
	Stream *Stream
	Range  Range
	// Data is the range's bytes, newlines included; only the last line of a
	// finished log can lack its newline. It belongs to whoever made the batch and
	// is valid until the call it was handed to returns.
	Data []byte
	// Lines is how many lines Data holds.
	Lines int
	// Labels are what the operator calls the log by, for the archive; nil is none.
	// They are not changed.
	Labels map[string]string
}
