package collector

import "context"

// newParsedBatch prepares a batch for parsing. If the queue for the table has room, the result owns
// a copy of the lines; otherwise it borrows data, for parsing only. Without SpoolAhead it waits for
// that room. If there are Columns, it waits until the column queue has room. rows is false while
// the table cannot be used yet. handOver or release must follow.
func (w *tableWriter) newParsedBatch(ctx context.Context, data []byte, rows bool) (*parsedBatch, error) {
	n := min(int64(len(data)), tableQueueBytes)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.life.ctx, cancel)()
	if w.cfg.Columns != nil {
		if err := w.columns.room.Acquire(ctx, n); err != nil {
			return nil, w.life.ended(err)
		}
	}
	queued, err := rows && w.cfg.Table != nil, error(nil)
	if queued {
		queued, err = w.acquire(ctx, n)
	}
	pool := &w.pool
	if queued {
		pool = &w.queued
	}
	p := pool.Get().(*parsedBatch)
	p.reset()
	p.lines = data
	if w.cfg.Columns != nil {
		p.columnWeight, p.pool = n, &w.columns.pool
	}
	if err != nil {
		w.release(p)
		return nil, w.life.ended(err)
	}
	if queued {
		p.weight, p.wantsRows = n, true
		p.data = append(p.data[:0], data...)
		p.lines = p.data
	}
	return p, nil
}

// acquire takes n bytes of the queue for the table, and reports whether it did. Without SpoolAhead
// it waits for them.
func (w *tableWriter) acquire(ctx context.Context, n int64) (bool, error) {
	if w.queue.TryAcquire(n) {
		return true, nil
	}
	if w.cfg.SpoolAhead {
		return false, nil
	}
	err := w.queue.Acquire(ctx, n)
	return err == nil, err
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
	pool := &w.pool
	if p.weight > 0 {
		w.queue.Release(p.weight)
		pool = &w.queued
	}
	if p.columnWeight > 0 {
		w.columns.room.Release(p.columnWeight)
	}
	p.reset()
	pool.Put(p)
}
