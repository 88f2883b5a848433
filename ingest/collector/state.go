package collector

import (
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// State is the state of a Collector, as the status file reports it.
type State struct {
	// Segments is the number of segments in the spool, SpoolBytes their total size.
	Segments   int   `json:"segments"`
	SpoolBytes int64 `json:"spool_bytes"`
	// UntabledBytes is the number of bytes that were received and are not in the table. If there is
	// Columns but no Table, open segments are not counted, because queries read their lines from
	// the spool.
	UntabledBytes int64 `json:"untabled_bytes"`
	// Waiting has the hosts with lines that are received and not stored.
	Waiting map[string]Waiting `json:"waiting,omitempty"`
	// Shares has the part of the spool that each host uses.
	Shares map[string]Share `json:"shares,omitempty"`
	// Slow has the hosts with a batch that recently took long to parse.
	Slow map[string]Slow `json:"slow,omitempty"`
	// Arrivals counts the lines of each host that were received since the process started. They are
	// part of /health, and left out here so that the status file does not contain them twice.
	Arrivals map[string]Arrivals `json:"-"`
	// Retries are the operations that are being retried, the oldest first.
	Retries []RetryState `json:"troubles,omitempty"`
}

// Waiting is how long the lines of a host have been waiting since they were received.
type Waiting struct {
	// UntabledSeconds is the age of the oldest line that is not in the table, UnstoredSeconds of
	// the oldest that is not in both table and archive. 0: none.
	UntabledSeconds float64 `json:"untabled_seconds"`
	UnstoredSeconds float64 `json:"unstored_seconds"`
}

// Share is the part of the spool that a host uses.
type Share struct {
	Bytes   int64 `json:"bytes"`
	Batches int64 `json:"batches"`
	// OverSeconds is how long its batches have been waiting because it has used its share. 0: they
	// are not waiting.
	OverSeconds float64 `json:"over_seconds,omitempty"`
	// Dates is the reason why it may not begin more files at present. "": it may.
	Dates string `json:"dates,omitempty"`
}

// RetryState is an operation that failed and is being retried.
type RetryState struct {
	What     string    `json:"what"` // the sink, with an operation after a colon, or a segment
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error"`
}

// State returns the current state.
func (c *Collector) State() State {
	now := c.cfg.Now()
	s := State{Retries: c.life.retried(), Waiting: map[string]Waiting{}}
	c.spool.report(now, &s)
	s.Slow = c.table.slow.list(now)
	s.Arrivals = c.streams.arrivals.list(now)
	return s
}

// Dropped returns the number of received batches that a failed disk lost since the start. They
// have to be offered again.
func (c *Collector) Dropped() int {
	c.spool.mu.Lock()
	defer c.spool.mu.Unlock()
	return c.spool.dropped
}

// Positions returns the received position of each stream that the collector has used since the
// start or that has segments in the spool.
func (c *Collector) Positions() map[schema.StreamID]int64 { return c.streams.positions() }

// Received returns the position up to which a stream was received, whether or not it is on disk
// yet.
func (c *Collector) Received(t *checkpoint.Stream) int64 { return c.streams.received(t) }

// Position is the position up to which a stream is received and on disk, and the one up to which it
// is stored.
type Position struct{ Received, Stored int64 }

// Position returns the position of a stream. claimed is the position before which the caller knows
// everything to be stored, here or elsewhere; 0: nothing. The claim is used only for this answer,
// so that a sender cannot make other senders' lines count as received.
func (c *Collector) Position(t *checkpoint.Stream, claimed int64) Position {
	return c.streams.position(t, claimed)
}

// Held returns the streams that have lines in the spool.
func (c *Collector) Held() map[schema.StreamID]bool { return c.streams.held() }

// report adds the state of the spool to to.
func (s *spool) report(now time.Time, to *State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to.Shares = s.quota.report(now)
	s.dates.report(to.Shares)
	to.SpoolBytes = s.quota.bytes
	all := s.all()
	to.Segments = len(all)
	for _, sp := range all {
		sp.report(now, s.cfg.Table != nil, to)
	}
}

// report adds the lines of a segment that are not stored to s. rows is true if there is a table for
// rows.
func (sp *spooled) report(now time.Time, rows bool, s *State) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.stored || len(sp.batches) == 0 {
		return
	}
	// The spooled batches are in the order in which they were received.
	w := s.Waiting[sp.name.Host]
	w.UnstoredSeconds = max(w.UnstoredSeconds, now.Sub(sp.batches[0].at).Seconds())
	if !rows && !sp.sealedAt.IsZero() && !sp.columned {
		for _, p := range sp.batches {
			s.UntabledBytes += p.Len()
		}
		w.UntabledSeconds = max(w.UntabledSeconds, now.Sub(sp.sealedAt).Seconds())
	}
	if rows && sp.untabled > 0 {
		for _, p := range sp.batches {
			if !p.tabled {
				s.UntabledBytes += p.Len()
				w.UntabledSeconds = max(w.UntabledSeconds, now.Sub(p.at).Seconds())
			}
		}
	}
	s.Waiting[sp.name.Host] = w
}
