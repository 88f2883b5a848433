package avrorpc

import (
	"log/slog"
	"time"

	"sluice/ingest/admission"
)

// Limits limit what clients can make a server hold, and for how long. A zero means the default of
// the field.
type Limits struct {
	// Conns limits the connections, and ConnsPerPeer those of one address; package admission
	// decides which connection is closed when one more is accepted. Defaults: 1024 and 64.
	Conns, ConnsPerPeer int
	// FrameBytes limits the total size of a frame's buffers, and Buffers their number. Defaults: 4
	// MiB and 4096, because Java cuts at 8 KiB.
	FrameBytes, Buffers int
	// InFlight is how many calls of one connection may be begun or waiting and not answered. Beyond
	// it the connection is not read. Default: 64.
	InFlight int
	// Bytes limits the frames of all connections together, without the first 4 KiB of each, and
	// with one frame more so that one reader can always continue. When it is used up, reading
	// waits. The connections of one peer may use a quarter of it, and one frame more. Default: 64
	// MiB.
	Bytes int64
	// Frame is how long a frame may take from its first byte to its last, without the time for
	// which the server itself waits; also how long a new connection may take for its handshake.
	// Default: 10 s.
	Frame time.Duration
	// Write is how long the peer may leave a reply unread. Default: 10 s.
	Write time.Duration
	// Idle is how long a connection may be silent between two frames; 0: no limit.
	Idle time.Duration
	// Drain is how long calls that were begun may take after the end. Default: 10 s.
	Drain time.Duration
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field    *int
		fallback int
	}{{&l.Conns, 1024}, {&l.ConnsPerPeer, 64}, {&l.FrameBytes, 4 << 20}, {&l.Buffers, 4096}, {&l.InFlight, 64}} {
		if *f.field <= 0 {
			*f.field = f.fallback
		}
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 20
	}
	for _, d := range []*time.Duration{&l.Frame, &l.Write, &l.Drain} {
		if *d <= 0 {
			*d = 10 * time.Second
		}
	}
	return l
}

// NewGate returns a gate for as many connections as l permits.
func (l Limits) NewGate(log *slog.Logger) *admission.Gate {
	l = l.withDefaults()
	return admission.New(admission.Limits{Conns: l.Conns, ConnsPerPeer: l.ConnsPerPeer}, log, nil)
}
