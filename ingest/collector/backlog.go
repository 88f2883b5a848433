package collector

import (
	"sync"
	"time"
)

// backlog holds the spooled batches whose rows are still to be read from their segments and put
// into the table, by host. It is safe for concurrent use.
//
// One goroutine parses them. A sender chooses the format of its logs, so a host's spooled batches
// may take thousands of times as long as another's. Therefore each host gets the same time, not the
// same number of spooled batches.
type backlog struct {
	mu    sync.Mutex
	hosts map[string]*hostBacklog
}

type hostBacklog struct {
	batches []*spooledBatch // oldest first
	spent   time.Duration
}

func newBacklog() *backlog { return &backlog{hosts: map[string]*hostBacklog{}} }

func (b *backlog) add(batches ...*spooledBatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range batches {
		host := p.stream.tracked.Host
		x := b.hosts[host]
		if x == nil {
			x = new(hostBacklog)
			b.hosts[host] = x
		}
		if least := b.least(); least != nil && len(x.batches) == 0 { // a host gets no credit for the time in which it had no spooled batches
			x.spent = max(x.spent, least.spent)
		}
		x.batches = append(x.batches, p)
	}
}

// next removes and returns the oldest spooled batch of the host on which the least time was spent.
// nil: there is none.
func (b *backlog) next() *spooledBatch {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.least()
	if x == nil {
		clear(b.hosts) // times are compared only while spooled batches are waiting
		return nil
	}
	p := x.batches[0]
	x.batches[0] = nil
	x.batches = x.batches[1:]
	return p
}

// spend records the time that parsing a host's spooled batch took.
func (b *backlog) spend(host string, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.hosts[host]; x != nil {
		x.spent += d
	}
}

// least returns the host with spooled batches on which the least time was spent, at equal times the
// one whose spooledBatch is older. b.mu must be held.
func (b *backlog) least() (least *hostBacklog) {
	for _, x := range b.hosts {
		if len(x.batches) == 0 {
			continue
		}
		if least == nil || x.spent < least.spent || x.spent == least.spent && x.batches[0].at.Before(least.batches[0].at) {
			least = x
		}
	}
	return least
}
