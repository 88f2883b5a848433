package collector

import "context"

// newParsedBatch prepares a batch for parsing. If the queue for the table has room, the result owns
// a copy of the lines; otherwise it borrows data, for parsing only. Without SpoolAhead it waits for
// that room. If there are Columns, it waits until the column queue has room. rows is false while
// the table cannot be used yet. handOver or release must follow.
func (w *tableWriter) newParsedBatch(ctx context.Context, data []byte, rows bool) (*parsedBatch, error) {
	p := w.pool.Get().(*parsedBatch)
	p.reset()
	p.lines = data
	n := min(int64(len(data)), tableQueueBytes)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.life.ctx, cancel)()
	if w.cfg.Columns != nil {
		if err := w.columns.room.Acquire(ctx, n); err != nil {
			w.release(p)
			return nil, w.life.ended(err)
		}
		p.columnWeight, p.pool = n, &w.columns.pool
	}
	if w.cfg.Table == nil || !rows {
		return p, nil
	}
	if !w.queue.TryAcquire(n) {
		if w.cfg.SpoolAhead {
			return p, nil
		}
		if err := w.queue.Acquire(ctx, n); err != nil {
			w.release(p)
			return nil, w.life.ended(err)
		}
	}
	p.weight, p.wantsRows = n, true
	p.data = append(p.data[:0], data...)
	p.lines = p.data
	return p, nil
}

// handOver passes a parsed batch to the goroutine that puts rows. If the parsedBatch is not in the
// queue or the channel is full, it adds the spooled batches to the backlog instead, to be read from
// their segments.
func (w *tableWriter) handOver(p *parsedBatch) {
	if len(p.batches) == 0 || w.cfg.Table == nil {
		w.release(p)
		return
	}
	if p.weight > 0 {
		select {
		case w.batches <- p:
			return
		default: // the channel is full of small parsed batches
		}
	}
	w.backlog.add(p.batches...)
	w.release(p)
	w.nudge()
}

// release returns a parsed batch's room to the queues, and the parsed batch to the pool.
func (w *tableWriter) release(p *parsedBatch) {
	if p.weight > 0 {
		w.queue.Release(p.weight)
	}
	if p.columnWeight > 0 {
		w.columns.room.Release(p.columnWeight)
	}
	p.reset()
	w.pool.Put(p)
}
