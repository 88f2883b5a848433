package governor

import (
	"math"
	"time"
)

const (
	// maxSaved limits what is saved in a quiet time, as time at the full rate: enough to read a
	// second's lines at once, too little to disturb other processes.
	maxSaved = 2 * time.Second
	// maxWait is the longest pause before Allow is called again. A debt is paid back however large
	// it is.
	maxWait = 2 * time.Second

	// costMemory is the time over which the cost of a byte is averaged: longer than a byte takes
	// through parsing and compressing.
	costMemory = 10 * time.Second
	// startCostSeconds is the cost of a byte before any was measured, with the weight of
	// startBytes.
	startCostSeconds = 10e-9
	startBytes       = 1 << 20
	// Limits of the measured cost: 20 GB/s and 100 KB/s on a whole core.
	minCostSeconds = 5e-11
	maxCostSeconds = 1e-5

	// minAllowedBytes may be read at least while there is credit. Otherwise a cost that was
	// measured too high could never be corrected. Its real cost is drawn.
	minAllowedBytes = 64 << 10
)

// budget is a bucket of CPU seconds. It fills at a constant rate and is drained by what the process
// has really used, so the average is kept even if the estimated cost of a byte is wrong: the
// estimate only decides how much may be read until the next step.
type budget struct {
	seconds float64 // with bytes: sums for the cost, which decay in costMemory
	cpu     float64 // CPU seconds and bytes from which the cost is calculated, forgotten in costMemory
	bytes   float64
}

func newBudget() budget {
	return budget{cpu: startBytes * startCostSeconds, bytes: startBytes}
}

// learn adds what was used in dt while n bytes were read. The cost is a ratio of sums, not a mean
// of ratios, because one step may pay for the bytes of the step before.
func (b *budget) learn(dt, used time.Duration, n int64) {
	if n == 0 {
		return // time without bytes gives no cost
	}
	keep := math.Exp(-dt.Seconds() / costMemory.Seconds())
	b.cpu = b.cpu*keep + used.Seconds()
	b.bytes = b.bytes*keep + float64(n)
}

// cost returns the CPU seconds for a byte.
func (b *budget) cost() float64 {
	return min(max(b.cpu/max(b.bytes, 1), minCostSeconds), maxCostSeconds)
}

// settle fills the bucket with cores for dt and draws what was used. What is saved is limited by
// the present rate, so that credit from a quiet time is not spent when the host is loaded.
func (b *budget) settle(dt, used time.Duration, cores float64) {
	b.seconds += cores*dt.Seconds() - used.Seconds()
	b.seconds = min(b.seconds, cores*maxSaved.Seconds())
}

// allowed returns how many bytes may be read with what is left.
func (b *budget) allowed() int64 {
	if b.seconds <= 0 {
		return 0
	}
	return max(int64(b.seconds/b.cost()), minAllowedBytes)
}

// owed returns how long the bucket needs to pay its debt.
func (b *budget) owed(cores float64) time.Duration {
	if b.seconds > 0 {
		return 0
	}
	return time.Duration(min(-b.seconds/cores, maxDebtSeconds) * float64(time.Second))
}

// maxDebtSeconds prevents an overflow of the duration.
const maxDebtSeconds = 1e6
