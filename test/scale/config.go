package scale

import "time"

// config configures a simulation. Bytes are those of the logs unless "stored" is in the name.
type config struct {
	Seed              uint64
	Hosts, Collectors int
	Plan              string
	Days              int
	// LinesPerSecond is that of the mean host over the mean day; hosts differ by a log-normal
	// distribution with Spread as the standard deviation of the logarithm.
	LinesPerSecond, Spread float64

	// The settings of agents and collectors, named as their flags.
	FailoverAfter, RollInterval, RollIdle time.Duration
	RollBytes, SpoolMaxBytes              int64 // compressed
	AgentCPU                              float64
	// Return is when a host leaves a collector for one that it prefers: see the constants.
	Return string

	// HBaseLinesPerSecond is what HBase can take of all collectors, CollectorLinesPerSecond what one
	// collector can receive, TableLinesPerSecond what it can write to the table.
	HBaseLinesPerSecond, CollectorLinesPerSecond, TableLinesPerSecond float64
}

// The costs of a line. docs/benchmarks.md has the measurements.
const (
	lineBytes     = 230
	compression   = 4.6 // of gzip at level 1
	agentCost     = 0.56e-6 / lineBytes * float64(time.Second)
	handshakeCost = time.Millisecond // mutual TLS 1.3 with P-256, both directions, measured 0.5 to 0.9 ms
)

// The intervals of the model.
const (
	pollInterval  = 30 * time.Second // a real agent polls each second; what waits is the same
	catchUpPoll   = 500 * time.Millisecond
	tickInterval  = 5 * time.Second
	dialTimeout   = 10 * time.Second
	maxBatchBytes = 4 << 20
	// behindBytes is what an agent may have unread without being held back by its governor in this
	// model: its budget at the lowest factor reads it in a poll.
	behindBytes = 1 << 20
)

// When a host returns to a collector that it prefers and that is available again. The agent does
// returnSealed; the others are simulated to compare with it.
const (
	returnAtOnce = "at once"
	// returnNever: never.
	returnNever = "never"
	// returnStored: when all but returnBytes of what the present collector received is stored, which
	// is after one of its segments was sealed.
	returnStored = "stored"
	// returnSealed: the host sends nothing, the present collector seals the host's segment and stores
	// it, and then the host returns, but after agent.MaxLeaving in any case.
	returnSealed = "sealed"

	returnBytes = 1 << 20
)

// defaults returns the configuration of so many hosts and collectors, with the defaults of the flags.
func defaults(hosts, collectors int) config {
	lines := 10.0
	peak := float64(hosts) * lines * peakFactor
	return config{
		Seed: 1, Hosts: hosts, Collectors: collectors, Days: 1, LinesPerSecond: lines, Spread: 1,
		FailoverAfter: 30 * time.Second, RollInterval: 2 * time.Hour, RollIdle: 15 * time.Minute,
		RollBytes: 100 << 20, SpoolMaxBytes: 10 << 30, AgentCPU: 0.05, Return: returnSealed,
		HBaseLinesPerSecond: 1.5 * peak, CollectorLinesPerSecond: 280_000, TableLinesPerSecond: 60_000,
	}
}
