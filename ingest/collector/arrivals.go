package collector

import (
	"sync"
	"sync/atomic"
	"time"

	"sluice/schema"
)

// Classes is the number of classes of HTTP statuses: index 1 is 1xx, 5 is 5xx, and 0 is lines
// without a status or with another number.
const Classes = 6

// Arrivals counts the lines of one host since the process started. Each line is counted once, when
// its range is first appended to the spool. A batch that is sent again, and a range that an earlier
// process received, are not counted. The exception is a segment whose disk failed: lines that the
// disk lost are received, and counted, again.
type Arrivals struct {
	Lines       int64 `json:"lines"`
	Bytes       int64 `json:"bytes"`
	ParseErrors int64 `json:"parse_errors"`
	// ByClass counts the lines by the class of their status.
	ByClass [Classes]int64 `json:"by_class"`
	// AheadSeconds is how far the latest time in the most recent lines was after the time at which
	// they were received. 0: it was not later, or no line has a time.
	AheadSeconds float64 `json:"ahead_seconds,omitempty"`
	// Unparsed lists the logs of which many lines do not parse.
	Unparsed []Unparsed `json:"unparsed,omitempty"`
}

// arrivals holds the counters of an Arrivals. The streams of a host update it concurrently.
type arrivals struct {
	lines, bytes, parseErrors atomic.Int64
	byClass                   [Classes]atomic.Int64
	ahead                     atomic.Int64 // nanoseconds, of the last cut that had dated lines
	parsing                   parsing
}

// maxArrivalHosts is the limit of hosts that are counted. A receiver's limit of hosts is lower.
const maxArrivalHosts = 20_000

// add counts a cut that was appended to the spool. a is nil for a host above the limit.
func (a *arrivals) add(x *cut) {
	if a == nil {
		return
	}
	a.lines.Add(x.lines - x.holes)
	a.bytes.Add(x.Len())
	a.parseErrors.Add(x.errors)
	for i, n := range x.byClass {
		if n > 0 {
			a.byClass[i].Add(n)
		}
	}
}

// parsed records the event times and parse errors of a cut. data is the batch that contains the
// cut, and begins at offset in its stream. a may be nil.
func (a *arrivals) parsed(now time.Time, path string, x *cut, data []byte, offset int64) {
	if a == nil {
		return
	}
	if x.last != 0 {
		a.ahead.Store(max(0, x.last-now.UnixNano()))
	}
	a.parsing.note(now, path, x, data, offset)
}

// arrivalCounts holds the counters of all hosts that sent lines since the process started. It is
// safe for concurrent use.
type arrivalCounts struct {
	mu     sync.Mutex
	byHost map[string]*arrivals
}

func newArrivalCounts() *arrivalCounts { return &arrivalCounts{byHost: map[string]*arrivals{}} }

// list returns the counts of all hosts.
func (c *arrivalCounts) list(now time.Time) map[string]Arrivals {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := make(map[string]Arrivals, len(c.byHost))
	for host, a := range c.byHost {
		n := Arrivals{Lines: a.lines.Load(), Bytes: a.bytes.Load(), ParseErrors: a.parseErrors.Load(),
			AheadSeconds: time.Duration(a.ahead.Load()).Seconds(), Unparsed: a.parsing.list(now)}
		for i := range n.ByClass {
			n.ByClass[i] = a.byClass[i].Load()
		}
		counts[host] = n
	}
	return counts
}

// of returns the counters of a host, which are created by the first call, or nil above the limit.
func (c *arrivalCounts) of(host string) *arrivals {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.byHost[host]
	if a == nil && len(c.byHost) < maxArrivalHosts {
		a = new(arrivals)
		c.byHost[host] = a
	}
	return a
}

// classOf returns the class of the status of a record, which is its field i. i is negative if the
// format has no status.
func classOf(rec *schema.Record, i int) int {
	if i < 0 || rec.Values[i].State == schema.Null {
		return 0
	}
	if class := rec.Values[i].Num / 100; class > 0 && class < Classes {
		return int(class)
	}
	return 0
}
