package collector

import (
	"context"
	"time"

	"sluice/retry"
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

// State may be asked for at any time.
func (c *Collector) State() State {
	s := State{Troubles: c.retried(), Waiting: map[string]Waiting{}, Shares: map[string]Share{}}
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Segments = len(c.spool.open) + len(c.spool.held)
	s.SpoolBytes = c.spool.bytes
	count := func(sp *spooled) {
		if sp.stored || len(sp.pieces) == 0 {
			return
		}
		// Pieces are in the order in which they came.
		w := s.Waiting[sp.name.Host]
		w.UnstoredSeconds = max(w.UnstoredSeconds, now.Sub(sp.pieces[0].at).Seconds())
		if c.cfg.Table == nil && !sp.sealedAt.IsZero() && !sp.columned {
			for _, p := range sp.pieces {
				s.UntabledBytes += p.Len()
			}
			w.UntabledSeconds = max(w.UntabledSeconds, now.Sub(sp.sealedAt).Seconds())
		}
		if c.cfg.Table != nil && sp.untabled > 0 {
			for _, p := range sp.pieces {
				if !p.tabled {
					s.UntabledBytes += p.Len()
					w.UntabledSeconds = max(w.UntabledSeconds, now.Sub(p.at).Seconds())
				}
			}
		}
		s.Waiting[sp.name.Host] = w
	}
	for _, sp := range c.spool.open {
		count(sp)
	}
	for _, sp := range c.spool.held {
		count(sp)
	}
	for host, x := range c.spool.hosts {
		share := Share{Bytes: x.bytes, Batches: x.pieces}
		if !x.overSince.IsZero() && c.over(host, x) != nil {
			share.OverSeconds = max(now.Sub(x.overSince).Seconds(), 0.001)
		}
		s.Shares[host] = share
	}
	for host, b := range c.begun {
		if b.waits != "" {
			share := s.Shares[host]
			share.Dates = b.waits
			s.Shares[host] = share
		}
	}
	s.Slow = c.slowHosts(now)
	s.Arrivals = c.countedArrivals(now)
	return s
}

// retried returns the operations that are being retried.
func (c *Collector) retried() (list []Trouble) {
	for _, x := range c.retries.List() {
		list = append(list, Trouble{What: x.What, Since: x.Since, Attempts: x.Attempts, Error: x.Err.Error()})
	}
	return list
}

// How long is waited before something is tried again.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = time.Minute
)

// newBackoff returns the pauses of an operation.
func newBackoff() retry.Backoff { return retry.Backoff{First: firstPause, Max: maxPause} }

// attempt does something until it works, where the collector is patient; else
// once.
func (c *Collector) attempt(ctx context.Context, what string, do func() error) error {
	pause := newBackoff()
	for {
		err := do()
		if err == nil {
			c.retries.Recovered(what, nil)
			return nil
		}
		if !c.cfg.Patient || ctx.Err() != nil {
			return err
		}
		c.retries.Failed(what, nil, err)
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// pause waits for a change, or a little.
func (c *Collector) pause(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return c.ended(nil)
	case <-time.After(firstPause):
		return c.ended(nil)
	case <-ctx.Done():
		return ctx.Err()
	}
}
