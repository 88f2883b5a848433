package protocol

import (
	_ "embed"

	"sluice/ingest/avrorpc"
	"sluice/schema"
)

//go:embed collector.avpr
var text string

// New is the protocol, for avrorpc's Service and NewClient.
func New() *avrorpc.Protocol {
	p, err := avrorpc.NewProtocol(text)
	if err != nil {
		panic(err) // the text is ours
	}
	return p
}

// The protocol's messages.
const (
	MessageHello  = "hello"
	MessageAppend = "append"
	MessageStatus = "status"
)

// What a message may hold. MaxStreams is a host's with a log for each of ten
// thousand virtual hosts, and as many again.
const (
	MaxStreams     = 20_000
	maxLabels      = 64
	MaxCounters    = 1024
	MaxTroubles    = 32
	MaxStringBytes = 8 << 10
	// MaxCounterBytes bounds a counter's name, MaxTailBytes what a Tail is of.
	MaxCounterBytes = 64
	MaxTailBytes    = 256
)

// Position is how far a stream is received and stored.
type Position struct {
	Stream           schema.StreamID
	Received, Stored int64
}

// Tail is a fingerprint of the last bytes that a collector was sent of a stream: Length
// bytes before At.
type Tail struct {
	Stream schema.StreamID
	At     int64
	Length int
	Hash   [12]byte // of SHA-256, the first bytes
}

// Compression is a body's.
type Compression int

// The compressions, in the protocol's order.
const (
	None Compression = iota
	Zstd
	S2
	compressions = iota
)

func (c Compression) String() string { return [...]string{"none", "zstd", "s2"}[c] }

// Status is what became of a batch.
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
