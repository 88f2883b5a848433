package receiver

import "time"

// clockSamples are the last differences between a host's clock and the collector's. A delayed
// heartbeat makes the host's clock look slow, never fast, so the greatest difference of some
// samples is the best estimate.
type clockSamples struct {
	last [clockSampleCount]time.Duration
	n    int
}

// clockSampleCount is how many heartbeats are compared. The difference is known from the second one
// on.
const clockSampleCount = 5

// maxClockOffset limits what a sender can claim.
const maxClockOffset = 100 * 365 * 24 * time.Hour

// add adds a sample: the host's time in ms since 1970, and the collector's. It returns by how much
// the host's clock is ahead; known is false until there are enough samples.
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
