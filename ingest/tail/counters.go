package tail

import (
	"sync/atomic"

	"sluice/ingest/checkpoint"
)

// Counters count what a Tailer has done. They may be read concurrently.
type Counters struct {
	Bytes, Lines, Streams atomic.Int64
	// LostBytes were deleted or truncated before they were read. LostFiles is how often that
	// happened, including losses of unknown length.
	LostBytes, LostFiles atomic.Int64
	// HoleBytes are NUL bytes before lines.
	HoleBytes atomic.Int64
	// Failures counts failed reads of logs and directories.
	Failures atomic.Int64
}

// Correct subtracts bytes and losses that a collector was found to have. It may be called
// concurrently.
func (c *Counters) Correct(bytes, losses int64) {
	c.LostBytes.Add(-bytes)
	c.LostFiles.Add(-losses)
}

// Acknowledge subtracts losses from the counters. It may be called concurrently.
func (c *Counters) Acknowledge(losses []checkpoint.Loss) {
	for _, l := range losses {
		c.LostBytes.Add(-l.Bytes)
		c.LostFiles.Add(-1 - l.Joined)
	}
}
