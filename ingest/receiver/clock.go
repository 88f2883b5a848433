package receiver

import "time"

// clockSamples are the last differences between a host's clock and ours. A heartbeat that
// waited on its way makes the host's clock look slow, never fast: the greatest of some
// samples is the best.
type clockSamples struct {
	last [clockSampleCount]time.Duration
	n    int
}

// clockSampleCount heartbeats are compared; a difference is known from the second one on.
const clockSampleCount = 5

// maxClockOffset bounds what a sender can claim.
const maxClockOffset = 100 * 365 * 24 * time.Hour

// add takes one more sample: the host's time and ours. known is false until there are
// enough.
func (c *clockSamples) add(ms int64, now time.Time) (offset time.Duration, known bool) {
	const bound = int64(maxClockOffset / time.Millisecond)
	ours := now.UnixMilli()
	d := time.Duration(max(ours-bound, min(ms, ours+bound))-ours) * time.Millisecond
	c.last[c.n%clockSampleCount] = d
	c.n++
	offset = d
	for _, x := range c.last[:min(c.n, clockSampleCount)] {
		offset = max(offset, x)
	}
	return offset, c.n > 1
}
