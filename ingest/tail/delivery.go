package tail

import (
	"context"
	"sync/atomic"
)

// Delivery is the result of a sweep: batches that share one buffer. The receiver from Deliveries
// must call Release when it is done, and not use the batches after that.
type Delivery struct {
	Batches []Batch
	buffer  []byte
	from    *deliveries
}

// deliveries manages the buffers: free, being filled (current), or handed over.
type deliveries struct {
	*env
	contents *contents
	current  *Delivery
	free     chan *Delivery
	out      chan *Delivery
	starved  atomic.Bool // all buffers are handed over: the next Release must wake the Tailer
}

// Release returns the buffer. It must be called once, by any goroutine.
func (d *Delivery) Release() {
	if cap(d.buffer) > bufferBytes { // it was enlarged for one long line
		d.buffer = nil
	}
	d.buffer, d.Batches = d.buffer[:0], d.Batches[:0]
	d.from.free <- d
	if d.from.starved.Swap(false) {
		d.from.watch.wake()
	}
}

// room ensures that the current delivery has space for minBytes. It returns false if all buffers
// are handed over.
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
		// Set before the second attempt, so that a buffer that is released between the two wakes
		// the Tailer.
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

// flush hands the current delivery over. It does not block, because the channel has capacity for
// all deliveries.
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
