package governor

import (
	"math"
	"time"
)

const (
	// What a quiet time saves up, as time at the full rate: enough to take a
	// second's worth of lines at once, too little to be seen by others.
	maxSaved = 2 * time.Second
	// A debt is paid back, however large; asking again is worth it after this.
	maxWait = 2 * time.Second

	// The cost of a byte is learned from what was used for the bytes of about this
	// time: longer than the way of a byte through parsing and compressing.
	costMemory = 10 * time.Second
	// Until something was learned a byte costs what reading, parsing and compressing
	// one is known to cost, as if this many had been seen.
	startCostSeconds = 10e-9
	startBytes       = 1 << 20
	// Bounds of what is believed: 20 GB/s and 100 KB/s on a whole core.
	minCostSeconds = 5e-11
	maxCostSeconds = 1e-5

	// While there is credit at least a block may be read. A cost that was learned
	// too high could otherwise never be learned anew. What it costs is drawn.
	minAllowedBytes = 64 << 10
)

// budget is a bucket of CPU seconds. It fills at a rate and is drained by what
// the process has really used, so its average is kept whatever the cost of a byte
// is thought to be: the cost says only how far to go until the next look.
type budget struct {
	seconds float64 // what is left; below 0: debt
	cpu     float64 // seconds and bytes behind the cost, forgotten in costMemory
	bytes   float64
}

func newBudget() budget {
	return budget{cpu: startBytes * startCostSeconds, bytes: startBytes}
}

// learn takes in what was used in dt while n bytes were read. A ratio of sums,
// not a mean of ratios: a step that paid for the bytes of the one before does not
// count as an expensive or a free byte.
func (b *budget) learn(dt, used time.Duration, n int64) {
	if n == 0 {
		return // time without bytes says nothing of their cost
	}
	keep := math.Exp(-dt.Seconds() / costMemory.Seconds())
	b.cpu = b.cpu*keep + used.Seconds()
	b.bytes = b.bytes*keep + float64(n)
}

// cost is CPU seconds a byte.
func (b *budget) cost() float64 {
	return min(max(b.cpu/max(b.bytes, 1), minCostSeconds), maxCostSeconds)
}

// settle fills the bucket at cores for dt and draws what was used. What was saved
// is bounded by the present rate, so that nothing saved in good times is spent
// when the host is loaded.
func (b *budget) settle(dt, used time.Duration, cores float64) {
	b.seconds += cores*dt.Seconds() - used.Seconds()
	b.seconds = min(b.seconds, cores*maxSaved.Seconds())
}

// allowed is how many bytes may be read for what is left.
func (b *budget) allowed() int64 {
	if b.seconds <= 0 {
		return 0
	}
	return max(int64(b.seconds/b.cost()), minAllowedBytes)
}

// owed is how long the bucket takes to be out of debt.
func (b *budget) owed(cores float64) time.Duration {
	if b.seconds > 0 {
		return 0
	}
	return time.Duration(min(-b.seconds/cores, maxDebtSeconds) * float64(time.Second))
}

// maxDebtSeconds is for the display, so that a duration does not overflow.
const maxDebtSeconds = 1e6
