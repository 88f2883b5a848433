package tail

import "context"

// Delivery is what a sweep found: batches that share one buffer. Whoever took it
// from Deliveries calls Release when done; the batches are not to be used after.
type Delivery struct {
	Batches []Batch
	buffer  []byte
	tailer  *Tailer
}

// Release gives the buffer back. Any goroutine may call it, once.
func (d *Delivery) Release() {
	if cap(d.buffer) > bufferBytes { // grown for one long line
		d.buffer = nil
	}
	d.buffer, d.Batches = d.buffer[:0], d.Batches[:0]
	d.tailer.free <- d
	if d.tailer.starved.Swap(false) {
		d.tailer.watch.wake()
	}
}

// room makes sure that the present delivery has minBytes of room. It reports
// false when all buffers are on their way.
func (t *Tailer) room(ctx context.Context, minBytes int) bool {
	if d := t.current; d != nil {
		if cap(d.buffer)-len(d.buffer) >= minBytes {
			return true
		}
		if len(d.buffer) == 0 {
			d.buffer = make([]byte, 0, minBytes)
			return true
		}
		t.flush(ctx)
	}
	select {
	case t.current = <-t.free:
	default:
		// Said before the second look: a buffer that comes between the two wakes us.
		t.starved.Store(true)
		select {
		case t.current = <-t.free:
			t.starved.Store(false)
		default:
			return false
		}
	}
	if d := t.current; cap(d.buffer) < minBytes {
		d.buffer = make([]byte, 0, max(minBytes, bufferBytes))
	}
	return true
}

// flush hands the present delivery over. There is room for every delivery that
// exists, so it does not wait.
func (t *Tailer) flush(ctx context.Context) {
	d := t.current
	if d == nil || len(d.Batches) == 0 {
		return
	}
	t.current = nil
	select {
	case t.out <- d:
	case <-ctx.Done():
	}
}
