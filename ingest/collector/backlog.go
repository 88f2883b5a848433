package collector

import (
	"sync"
	"time"
)

// backlog holds the pieces whose rows are still to be read from their segments and put into the
// table, by host. It is safe for concurrent use.
//
// One goroutine parses them. A sender chooses the format of its logs, so a host's pieces may take
// thousands of times as long as another's. Therefore each host gets the same time, not the same
// number of pieces.
type backlog struct {
	mu    sync.Mutex
	hosts map[string]*hostBacklog
}

type hostBacklog struct {
	pieces []*piece // oldest first
	spent  time.Duration
}

func newBacklog() *backlog { return &backlog{hosts: map[string]*hostBacklog{}} }

func (b *backlog) add(pieces ...*piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pieces {
		host := p.stream.tracked.Host
		x := b.hosts[host]
		if x == nil {
			x = new(hostBacklog)
			b.hosts[host] = x
		}
		if least := b.least(); least != nil && len(x.pieces) == 0 { // a host gets no credit for the time in which it had no pieces
			x.spent = max(x.spent, least.spent)
		}
		x.pieces = append(x.pieces, p)
	}
}

// next removes and returns the oldest piece of the host on which the least time was spent. nil:
// there is none.
func (b *backlog) next() *piece {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.least()
	if x == nil {
		clear(b.hosts) // times are compared only while pieces are waiting
		return nil
	}
	p := x.pieces[0]
	x.pieces[0] = nil
	x.pieces = x.pieces[1:]
	return p
}

// spend records the time that parsing a host's piece took.
func (b *backlog) spend(host string, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.hosts[host]; x != nil {
		x.spent += d
	}
}

// least returns the host with pieces on which the least time was spent, at equal times the one
// whose piece is older. b.mu must be held.
func (b *backlog) least() (least *hostBacklog) {
	for _, x := range b.hosts {
		if len(x.pieces) == 0 {
			continue
		}
		if least == nil || x.spent < least.spent || x.spent == least.spent && x.pieces[0].at.Before(least.pieces[0].at) {
			least = x
		}
	}
	return least
}
