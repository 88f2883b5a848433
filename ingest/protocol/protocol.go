package protocol

import "sluice/schema"

// The protocol's messages.
const (
	MessageHello  = "hello"
	MessageAppend = "append"
	MessageStatus = "status"
)

// Limits of a message. MaxStreams is enough for a host with a log for each of ten thousand virtual
// hosts, and as many rotated ones.
const (
	MaxStreams     = 20_000
	maxLabels      = 64
	MaxCounters    = 1024
	MaxProblems    = 32
	MaxStringBytes = 8 << 10
	// MaxCounterBytes limits a counter's name, MaxTailBytes the length of a Tail.
	MaxCounterBytes = 64
	MaxTailBytes    = 256
)

// Position is how far a stream is received and stored.
type Position struct {
	Stream           schema.StreamID
	Received, Stored int64
}

// Tail is a fingerprint of the last bytes of a stream that a collector received: the Length bytes
// before At.
type Tail struct {
	Stream schema.StreamID
	At     int64
	Length int
	Hash   [12]byte // the first bytes of the SHA-256
}

// Compression is the compression of a body.
type Compression int

// The compressions, in the protocol's order.
const (
	None Compression = iota
	Zstd
	S2
	compressions = iota
)

func (c Compression) String() string { return [...]string{"none", "zstd", "s2"}[c] }

// Status is the result of a batch.
type Status int

// The statuses, in the protocol's order.
const (
	OK Status = iota
	Busy
	UnknownStream
	Refused
	statuses = iota
)

func (s Status) String() string { return [...]string{"ok", "busy", "unknown stream", "refused"}[s] }
