package collector

import (
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// State is what a Collector is about.
type State struct {
	// Segments are on our disk, SpoolBytes long in all.
	Segments   int   `json:"segments"`
	SpoolBytes int64 `json:"spool_bytes"`
	// UntabledBytes were received, and are not in the table: the table's lag. If there is no
	// table but Columns, what is in open segments does not count: they are read with it.
	UntabledBytes int64 `json:"untabled_bytes"`
	// Waiting are the hosts with lines that are received and not stored.
	Waiting map[string]Waiting `json:"waiting,omitempty"`
	// Shares are what each host has in the spool.
	Shares map[string]Share `json:"shares,omitempty"`
	// Slow are the hosts whose lines took long to parse lately.
	Slow map[string]Slow `json:"slow,omitempty"`
	// Arrivals are the lines of each host that came since the process started. /health has
	// them; the status file does not say them twice.
	Arrivals map[string]Arrivals `json:"-"`
	// Troubles are what is tried again, the oldest first.
	Troubles []Trouble `json:"troubles,omitempty"`
}

// Waiting is how old what waits of a host is, from when it was received on.
type Waiting struct {
	// UntabledSeconds is the age of the oldest line that is not in the table,
	// UnstoredSeconds of the oldest that table and archive do not have both; 0: none.
	UntabledSeconds float64 `json:"untabled_seconds"`
	UnstoredSeconds float64 `json:"unstored_seconds"`
}

// Share is what a host has of the spool.
type Share struct {
	Bytes   int64 `json:"bytes"`
	Batches int64 `json:"batches"`
	// OverSeconds it has waited for its share, 0: it does not wait.
	OverSeconds float64 `json:"over_seconds,omitempty"`
	// Dates are why it waits until it may begin more files; "": it does not.
	Dates string `json:"dates,omitempty"`
}

// Trouble is something that fails and is tried again.
type Trouble struct {
	What     string    `json:"what"` // spool, archive, checkpoint
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error"`
}

// State returns what the collector is about.
func (c *Collector) State() State {
	now := c.cfg.Now()
	s := State{Troubles: c.life.retried(), Waiting: map[string]Waiting{}}
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

// Positions returns the received position of each stream that has segments or was used.
func (c *Collector) Positions() map[schema.StreamID]int64 { return c.streams.positions() }

// Received returns the position up to which a stream was received, on disk or not yet.
func (c *Collector) Received(t *checkpoint.Stream) int64 { return c.streams.received(t) }

// Position is how far a stream is received, on disk, and how far it is stored.
type Position struct{ Received, Stored int64 }

// Position returns a stream's. claimed is up to where the one who asks knows it to be
// stored, here or elsewhere; 0 is nothing. What is claimed is believed for this answer
// only, so that nobody can make lines of others count as received.
func (c *Collector) Position(t *checkpoint.Stream, claimed int64) Position {
	return c.streams.position(t, claimed)
}

// Held are the streams that the spool has something of.
func (c *Collector) Held() map[schema.StreamID]bool { return c.streams.held() }

// report adds what the spool has to s.
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

// report adds what waits in a segment to s. rows is whether there is a table for rows.
func (sp *spooled) report(now time.Time, rows bool, s *State) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.stored || len(sp.pieces) == 0 {
		return
	}
	// Pieces are in the order in which they came.
	w := s.Waiting[sp.name.Host]
	w.UnstoredSeconds = max(w.UnstoredSeconds, now.Sub(sp.pieces[0].at).Seconds())
	if !rows && !sp.sealedAt.IsZero() && !sp.columned {
		for _, p := range sp.pieces {
			s.UntabledBytes += p.Len()
		}
		w.UntabledSeconds = max(w.UntabledSeconds, now.Sub(sp.sealedAt).Seconds())
	}
	if rows && sp.untabled > 0 {
		for _, p := range sp.pieces {
			if !p.tabled {
				s.UntabledBytes += p.Len()
				w.UntabledSeconds = max(w.UntabledSeconds, now.Sub(p.at).Seconds())
			}
		}
	}
	s.Waiting[sp.name.Host] = w
}
