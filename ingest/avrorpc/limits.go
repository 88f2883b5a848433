package avrorpc

import (
	"log/slog"
	"time"

	"sluice/ingest/admission"
)

// Limits bound what strangers can make a server hold, and for how long. A zero
// means the default of the field.
type Limits struct {
	// Conns bounds the connections, ConnsPerPeer those of one address: package
	// admission says which connection is closed when one more comes. 1024 and 64.
	Conns, ConnsPerPeer int
	// FrameBytes bounds what a frame's buffers hold together, Buffers how many they
	// are. 4 MiB and 4096: Java cuts at 8 KiB.
	FrameBytes, Buffers int
	// InFlight is how many calls of one connection may be begun or waiting without
	// having been answered. Then reading it waits. 64.
	InFlight int
	// Bytes bounds the frames of all connections together, but for the first 4 KiB of
	// each and one frame more, so that one reader always goes on. When it is used up,
	// reading waits. The connections of one peer have a quarter of it, and one frame
	// more. 64 MiB.
	Bytes int64
	// Frame is how long a frame may take from its first byte to its last, the time
	// that we ourselves wait left out; also how long a new connection may take to
	// its handshake. 10 s.
	Frame time.Duration
	// Write is how long the peer may leave a reply unread. 10 s.
	Write time.Duration
	// Idle is how long a connection may be silent between two frames; 0: for ever.
	Idle time.Duration
	// Drain is how long calls that were begun may take after the end. 10 s.
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

// NewGate returns a gate with as many places as l allows connections.
func (l Limits) NewGate(log *slog.Logger) *admission.Gate {
	l = l.withDefaults()
	return admission.New(admission.Limits{Conns: l.Conns, ConnsPerPeer: l.ConnsPerPeer}, log, nil)
}
