package collector

import (
	"context"
	"fmt"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/schema"
)

// Append takes a batch: what of it was not received before goes into segments,
// and towards the table. The stream must be in the checkpoint, saved. Batches of
// one stream are taken in the order of the calls. b.Data is not kept.
//
// An error that wraps ErrBusy says that the batch, or its last part, was not taken
// and can be offered again; any other is for good. Whether what was taken survives
// a crash says Sync.
func (c *Collector) Append(ctx context.Context, t *checkpoint.Stream, b schema.Batch) error {
	st := c.stream(t)
	st.taking.Lock()
	defer st.taking.Unlock()
	return c.append(ctx, st, b)
}

// append is Append; st.taking is held.
func (c *Collector) append(ctx context.Context, st *streamState, b schema.Batch) error {
	if b.Range.Len() != int64(len(b.Data)) || len(b.Data) == 0 || len(b.Data) > segment.MaxBatchBytes || b.Range.Start < 0 || b.Range.End > schema.MaxOffset {
		return fmt.Errorf("a batch of %d bytes cannot be the range %v of a stream", len(b.Data), b.Range)
	}
	if err := c.admit(st.tracked.Host); err != nil {
		return err
	}
	origin, labels, err := c.prepare(st, &st.reader)
	if err != nil {
		return err
	}
	c.mu.Lock()
	missing := st.received.Missing(b.Range)
	c.mu.Unlock()
	c.Counters.Batches.Add(1)
	fresh := int64(0)
	for _, r := range missing {
		part := b
		part.Range, part.Data = r, b.Data[r.Start-b.Range.Start:r.End-b.Range.Start]
		part.Stream, part.Labels = origin, labels
		if err := c.take(ctx, st, part); err != nil {
			return err
		}
		fresh += r.Len()
	}
	c.Counters.Duplicates.Add(b.Range.Len() - fresh)
	return nil
}

// take puts a batch that is new into segments and hands its rows on.
func (c *Collector) take(ctx context.Context, st *streamState, b schema.Batch) (err error) {
	p, err := c.newParcel(ctx, b.Data, st.reader.encoder != nil)
	if err != nil {
		return err
	}
	began := c.cfg.Now()
	if err := p.read(ctx, &st.reader, c.cfg.Naming, b.Range.Start); err != nil {
		c.release(p)
		return err
	}
	c.noteParsing(st.tracked, len(b.Data), c.cfg.Now().Sub(began))
	for i := range p.cuts {
		x := &p.cuts[i]
		part := b
		part.Range, part.Data = x.Range, b.Data[x.Start-b.Range.Start:x.End-b.Range.Start]
		part.Lines = int(x.lines)
		var piece *piece
		if piece, err = c.spoolPiece(ctx, st, part, p, i); err != nil {
			break // the rows of what is spooled go on; the others do no harm
		}
		p.pieces = append(p.pieces, piece)
		c.Counters.Lines.Add(x.lines - x.holes)
		c.Counters.Bytes.Add(x.Len())
		c.Counters.ParseErrors.Add(x.errors)
		st.arrivals.add(x)
		st.arrivals.parsed(c.cfg.Now(), b.Stream.Path, x, b.Data, b.Range.Start)
	}
	c.handOver(p)
	return err
}

// spoolPiece writes a parcel's cut i as one member into the open segment of its host,
// period and labels.
func (c *Collector) spoolPiece(ctx context.Context, st *streamState, b schema.Batch, from *parcel, i int) (*piece, error) {
	x := &from.cuts[i]
	key := segmentKey{b.Stream.Host, x.period, c.cfg.Naming.Group(b.Labels)}
	for {
		if err := c.closeSome(key); err != nil {
			return nil, err
		}
		c.mu.Lock()
		err := c.mayBegin(key)
		if err != nil {
			c.mu.Unlock()
			return nil, err
		}
		sp, err := c.spool.segment(key, b.Labels, c.cfg.Checkpoint.NextSeq)
		c.mu.Unlock()
		if err != nil {
			return nil, c.spoolFailed(err)
		}
		if p, err := c.appendTo(ctx, sp, st, b, from, i); p != nil || err != nil {
			return p, err
		}
		// It was rolled in the moment between.
	}
}

// appendTo returns nil, and no error, for a segment that is not open any more.
func (c *Collector) appendTo(ctx context.Context, sp *spooled, st *streamState, b schema.Batch, from *parcel, i int) (*piece, error) {
	sp.use.RLock()
	defer sp.use.RUnlock()
	if sp.writer == nil {
		return nil, nil
	}
	var enc *segment.Encoder
	select {
	case enc = <-c.encoders:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m, err := sp.writer.Append(enc, b)
	c.encoders <- enc
	if err == nil {
		c.passColumns(sp, m, &b, from, i) // before the segment can be sealed
	}
	x := &from.cuts[i]
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.spool.rollBroken(sp)
		c.feed()
		return nil, c.spoolFailed(err)
	}
	p := &piece{stream: st, Range: b.Range, lines: x.lines - x.holes, errors: x.errors, first: x.first, last: x.last, in: sp, member: m, at: c.cfg.Now()}
	sp.pieces = append(sp.pieces, p)
	sp.fresh = append(sp.fresh, p)
	if p.tabled = c.cfg.Table == nil; !p.tabled {
		sp.untabled++
	}
	if !sp.zoned || x.zone < sp.zone {
		sp.zone, sp.zoned = x.zone, true
	}
	sp.bytes += m.Bytes
	c.spool.grow(sp, m.Bytes, 1)
	st.held++
	st.received.Add(p.Range)
	c.retries.Recovered("spool", nil)
	switch {
	case c.tooManyOpen(sp.name.Host):
	case sp.bytes >= c.cfg.RollBytes:
		c.spool.roll(c.cfg.RollBytes)
	}
	c.feed()
	return p, nil
}

// spoolFailed is what a sender is told of an error of the spool's disk.
func (c *Collector) spoolFailed(err error) error {
	err = fmt.Errorf("spool: %w", err)
	if !c.cfg.Patient {
		return err
	}
	c.retries.Failed("spool", nil, err)
	return fmt.Errorf("%w: %w", ErrBusy, err)
}

// newParcel returns a parcel for a batch. If the queue for the table has room, the
// parcel owns a copy of the lines; otherwise it borrows them. If there are Columns, it
// waits until these have room. rows is false while the table cannot be used yet.
func (c *Collector) newParcel(ctx context.Context, data []byte, rows bool) (*parcel, error) {
	p := c.spare.Get().(*parcel)
	p.reset()
	p.lines = data
	n := min(int64(len(data)), tableQueueBytes)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	if c.cfg.Columns != nil {
		if err := c.columns.room.Acquire(ctx, n); err != nil {
			c.release(p)
			return nil, c.ended(err)
		}
		p.columnWeight, p.spare = n, &c.columns.spare
	}
	if c.cfg.Table == nil || !rows {
		return p, nil
	}
	if !c.queue.TryAcquire(n) {
		if c.cfg.SpoolAhead {
			return p, nil
		}
		if err := c.queue.Acquire(ctx, n); err != nil {
			c.release(p)
			return nil, c.ended(err)
		}
	}
	p.weight, p.wantsRows = n, true
	p.data = append(p.data[:0], data...)
	p.lines = p.data
	return p, nil
}

// handOver gives a parcel to the goroutine that stores, or leaves its pieces to be
// read again.
func (c *Collector) handOver(p *parcel) {
	if len(p.pieces) == 0 || c.cfg.Table == nil {
		c.release(p)
		return
	}
	if p.weight > 0 {
		select {
		case c.parcels <- p:
			return
		default: // many small ones
		}
	}
	c.mu.Lock()
	c.backlog.add(p.pieces...)
	c.mu.Unlock()
	c.release(p)
	c.nudge()
}

// release takes a parcel back.
func (c *Collector) release(p *parcel) {
	if p.weight > 0 {
		c.queue.Release(p.weight)
	}
	if p.columnWeight > 0 {
		c.columns.room.Release(p.columnWeight)
	}
	p.reset()
	c.spare.Put(p)
}

// ended is the reason why nothing goes on, or err where there is none.
func (c *Collector) ended(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return err
}
