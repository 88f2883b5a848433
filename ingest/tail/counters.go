package tail

import (
	"sync/atomic"

	"sluice/ingest/checkpoint"
)

// Counters count what a Tailer has done. They may be read at any time.
type Counters struct {
	Bytes, Lines, Streams atomic.Int64
	// LostBytes were deleted or truncated before they were read; LostFiles counts
	// the times it happened, with those whose length is not known.
	LostBytes, LostFiles atomic.Int64
	// HoleBytes are NUL bytes before lines.
	HoleBytes atomic.Int64
	// Failures counts the times a log or a directory could not be read.
	Failures atomic.Int64
}

// Acknowledge takes losses out of the counters. Any goroutine may call it.
func (c *Counters) Acknowledge(losses []checkpoint.Loss) {
	for _, l := range losses {
		c.LostBytes.Add(-l.Bytes)
		c.LostFiles.Add(-1)
	}
}
