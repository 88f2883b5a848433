package tail

import (
	"context"
	"sync/atomic"
)

// Delivery is what a sweep found: batches that share one buffer. Whoever took it
// from Deliveries calls Release when done; the batches are not to be used after.
type Delivery struct {
	Batches []Batch
	buffer  []byte
	from    *deliveries
}

// deliveries are the buffers that go round: free, being filled (current), handed over.
type deliveries struct {
	*env
	contents *contents
	current  *Delivery
	free     chan *Delivery
	out      chan *Delivery
	starved  atomic.Bool // all buffers are handed over: the next one that comes back wakes the Tailer
}

// Release gives the buffer back. Any goroutine may call it, once.
func (d *Delivery) Release() {
	if cap(d.buffer) > bufferBytes { // grown for one long line
		d.buffer = nil
	}
	d.buffer, d.Batches = d.buffer[:0], d.Batches[:0]
	d.from.free <- d
	if d.from.starved.Swap(false) {
		d.from.watch.wake()
	}
}

// room makes sure that the present delivery has minBytes of room. It reports
// false when all buffers are on their way.
func (ds *deliveries) room(ctx context.Context, minBytes int) bool {
	if d := ds.current; d != nil {
		if cap(d.buffer)-len(d.buffer) >= minBytes {
			return true
		}
		if len(d.buffer) == 0 {
			d.buffer = make([]byte, 0, minBytes)
			return true
		}
		ds.flush(ctx)
	}
	select {
	case ds.current = <-ds.free:
	default:
		// Said before the second look: a buffer that comes between the two wakes us.
		ds.starved.Store(true)
		select {
		case ds.current = <-ds.free:
			ds.starved.Store(false)
		default:
			return false
		}
	}
	if d := ds.current; cap(d.buffer) < minBytes {
		d.buffer = make([]byte, 0, max(minBytes, bufferBytes))
	}
	return true
}

// flush hands the present delivery over. There is room for every delivery that
// exists, so it does not wait.
func (ds *deliveries) flush(ctx context.Context) {
	d := ds.current
	if d == nil || len(d.Batches) == 0 {
		return
	}
	ds.current = nil
	select {
	case ds.out <- d:
	case <-ctx.Done():
	}
}
