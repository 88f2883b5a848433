package schema

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
)

// StreamID identifies a stream: one log file on one host, through renames. It is a hash of host,
// device, inode and first line (StreamSeed).
type StreamID uint64

// String returns 16 hexadecimal digits, as in row keys and file names.
func (id StreamID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// ParseStreamID parses the output of String.
func ParseStreamID(s string) (StreamID, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("stream id %q is not 16 hexadecimal digits", s)
	}
	return StreamID(n), nil
}

// StreamSeed identifies a file on its host: a hash of device, inode and first line. With the host's
// name it makes the StreamID, so a sender that sends the seed proves that the id belongs to its
// host.
type StreamSeed [16]byte

// NewStreamSeed hashes a file's identity. firstLine is the file's first line, or its first
// MaxHeadBytes if the line is longer.
func NewStreamSeed(device, inode uint64, firstLine []byte) StreamSeed {
	h := sha256.New()
	var b [16]byte
	binary.BigEndian.PutUint64(b[0:], device)
	binary.BigEndian.PutUint64(b[8:], inode)
	h.Write(b[:])
	h.Write(firstLine)
	return StreamSeed(h.Sum(nil))
}

// ID returns the stream's id on a host.
func (s StreamSeed) ID(host string) StreamID { return streamID("stream", host, s[:]) }

// NewStreamID returns the id of a file on a host.
func NewStreamID(host string, device, inode uint64, firstLine []byte) StreamID {
	return NewStreamSeed(device, inode, firstLine).ID(host)
}

// ForeignStreamID returns the id under which a collector stores a stream whose sender sent an id
// without a seed: another host that sends the same id gets another one.
func ForeignStreamID(host string, named StreamID) StreamID {
	return streamID("named", host, binary.BigEndian.AppendUint64(nil, uint64(named)))
}

func streamID(kind, host string, what []byte) StreamID {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %s", kind, len(host), host)
	h.Write(what)
	return StreamID(binary.BigEndian.Uint64(h.Sum(nil)))
}

// MaxHeadBytes bounds the part of a first line in a stream's identity.
const MaxHeadBytes = 4096

// Stream is a log file and its attributes. It is immutable.
type Stream struct {
	ID     StreamID
	Host   string
	Path   string // where the file was first found
	Format string // LogFormat, its nickname, or "pattern:" and a regular expression
	// Zone is the time zone of times without one: an IANA name, "" for UTC.
	Zone string
	// Sparse is true for lines from a sender that sends the start of each line only: Flume. Ranges
	// may come in any order, and gaps remain.
	Sparse bool `json:",omitempty"`
}

// Range is the bytes [Start, End) of a stream. For a compressed log they are positions in its
// content, not in the file.
type Range struct{ Start, End int64 }

// Len is the number of bytes.
func (r Range) Len() int64 { return r.End - r.Start }

func (r Range) String() string { return fmt.Sprintf("[%d,%d)", r.Start, r.End) }

// Batch is a range of whole lines of one stream.
type Batch struct {
	Stream *Stream
	Range  Range
	// Data is the range's bytes, newlines included; only the last line of a finished log can lack
	// its newline. It belongs to the batch's creator and is valid until the call that it was passed
	// to returns.
	Data []byte
	// Lines is the number of lines in Data.
	Lines int
	// Labels are the operator's labels of the log, for the archive; nil: none. They are not
	// changed.
	Labels map[string]string
}
