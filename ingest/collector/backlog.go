package collector

import (
	"time"

	"sluice/ingest/checkpoint"
)

// backlog is what was received and not offered to the table, by host. Its methods want
// Collector.mu.
//
// One goroutine parses it. A sender names the format, so a host's pieces may take
// thousands of times as long as another's: each host gets the same time, not the same
// number of pieces.
type backlog map[string]*hostBacklog

type hostBacklog struct {
	pieces []*piece // first in, first out
	spent  time.Duration
}

func (b backlog) add(pieces ...*piece) {
	for _, p := range pieces {
		host := p.stream.tracked.Host
		x := b[host]
		if x == nil {
			x = new(hostBacklog)
			b[host] = x
		}
		if least := b.least(); least != nil && len(x.pieces) == 0 { // no credit for the time before
			x.spent = max(x.spent, least.spent)
		}
		x.pieces = append(x.pieces, p)
	}
}

// next takes a piece of the host on which the least time was spent, nil: there is none.
func (b backlog) next() *piece {
	x := b.least()
	if x == nil {
		clear(b) // what was spent counts as long as somebody waits
		return nil
	}
	p := x.pieces[0]
	x.pieces[0] = nil
	x.pieces = x.pieces[1:]
	return p
}

func (b backlog) spend(host string, d time.Duration) {
	if x := b[host]; x != nil {
		x.spent += d
	}
}

func (b backlog) least() (least *hostBacklog) {
	for _, x := range b {
		if len(x.pieces) == 0 {
			continue
		}
		if least == nil || x.spent < least.spent || x.spent == least.spent && x.pieces[0].at.Before(least.pieces[0].at) {
			least = x
		}
	}
	return least
}

// Slow is a batch that took long to parse.
type Slow struct {
	At      time.Time `json:"at"`
	Path    string    `json:"path"`
	Bytes   int       `json:"bytes"`
	Seconds float64   `json:"seconds"`
}

const (
	// slowBatch is a long time for a batch: one of 1 MiB in a LogFormat takes 5 ms.
	slowBatch = time.Second
	// slowFor a slow batch is reported.
	slowFor = 10 * time.Minute
)

// noteParsing notes how long a batch took to parse.
func (c *Collector) noteParsing(t *checkpoint.Stream, bytes int, took time.Duration) {
	if took < slowBatch {
		return
	}
	origin, _ := c.origin(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.slow[t.Host]
	c.slow[t.Host] = Slow{At: c.cfg.Now(), Path: origin.Path, Bytes: bytes, Seconds: took.Seconds()}
	if !known {
		c.cfg.Log.Warn("lines slow to parse", "host", t.Host, "path", origin.Path, "bytes", bytes, "after", took)
	}
}

// slowHosts are those of late. c.mu is held.
func (c *Collector) slowHosts(now time.Time) map[string]Slow {
	slow := map[string]Slow{}
	for host, x := range c.slow {
		if now.Sub(x.At) >= slowFor {
			delete(c.slow, host)
			continue
		}
		slow[host] = x
	}
	return slow
}
