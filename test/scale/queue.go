package scale

import "time"

// An event is something that happens to a host, a collector or all at a time.
type event struct {
	at   time.Duration // since the start
	seq  uint64        // events of the same time happen in the order in which they were added
	kind kind
	host int32
	// session is the host's connection that the event belongs to. An event of an earlier one is
	// ignored.
	session int32
}

// kind is the kind of an event.
type kind uint8

const (
	connect   kind = iota // the host tries to connect to its present collector
	connected             // the collector has answered it
	failed                // no connection could be made
	poll                  // the host reads what was written, and sends it
	received              // the collector has what the host sent
	look                  // the host tries the collectors that it prefers
	tick                  // all collectors write to the table and seal segments
	fault                 // the next step of the plan
)

// queue has the events that have not happened yet, the earliest first: a binary heap.
// (container/heap would box each of the 60 million events of a large run.)
type queue struct {
	events []event
	seq    uint64
}

func (q *queue) before(i, j int) bool {
	a, b := &q.events[i], &q.events[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *queue) add(e event) {
	q.seq++
	e.seq = q.seq
	q.events = append(q.events, e)
	for i := len(q.events) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.before(i, parent) {
			return
		}
		q.events[i], q.events[parent] = q.events[parent], q.events[i]
		i = parent
	}
}

// next removes and returns the earliest event; there must be one.
func (q *queue) next() event {
	first := q.events[0]
	last := len(q.events) - 1
	q.events[0] = q.events[last]
	q.events = q.events[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && q.before(child+1, child) {
			child++
		}
		if !q.before(child, i) {
			return first
		}
		q.events[i], q.events[child] = q.events[child], q.events[i]
		i = child
	}
}
