package collector

import (
	"context"
	"errors"
	"fmt"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/schema"
)

// intake accepts batches: it parses what was not received before, appends it to the spool, and
// passes its rows to the table writer. It is safe for concurrent use.
type intake struct {
	cfg      *Config
	life     *lifecycle
	streams  *streams
	spool    *spool
	appender *appender
	table    *tableWriter
	counters *Counters
}

// append accepts a batch of a stream. check, if not nil, is called first and can reject it.
func (in *intake) append(ctx context.Context, t *checkpoint.Stream, b schema.Batch, check func(*streamState) error) error {
	st := in.streams.of(t)
	st.taking.Lock()
	defer st.taking.Unlock()
	if check != nil {
		if err := check(st); err != nil {
			return err
		}
	}
	if b.Range.Len() != int64(len(b.Data)) || len(b.Data) == 0 || len(b.Data) > segment.MaxBatchBytes || b.Range.Start < 0 || b.Range.End > schema.MaxOffset {
		return fmt.Errorf("a batch of %d bytes cannot be the range %v of a stream", len(b.Data), b.Range)
	}
	if err := in.spool.admit(st.tracked.Host); err != nil {
		return err
	}
	origin, labels, err := in.cfg.prepare(st, &st.reader)
	if err != nil {
		return err
	}
	in.counters.Batches.Add(1)
	fresh := int64(0)
	for _, r := range in.streams.missing(st, b.Range) {
		part := b
		part.Range, part.Data = r, b.Data[r.Start-b.Range.Start:r.End-b.Range.Start]
		part.Stream, part.Labels = origin, labels
		if err := in.take(ctx, st, part); err != nil {
			return err
		}
		fresh += r.Len()
	}
	in.counters.Duplicates.Add(b.Range.Len() - fresh)
	return nil
}

// take appends a batch that was not received before to segments, and passes on its rows.
func (in *intake) take(ctx context.Context, st *streamState, b schema.Batch) (err error) {
	p, err := in.table.newParsedBatch(ctx, b.Data, st.reader.encoder != nil)
	if err != nil {
		return err
	}
	began := in.cfg.Now()
	if err := p.read(ctx, &st.reader, in.cfg.Naming, b.Range.Start); err != nil {
		in.table.release(p)
		return err
	}
	now := in.cfg.Now()
	in.table.slow.note(now, b.Stream.Host, b.Stream.Path, len(b.Data), now.Sub(began))
	for i := range p.cuts {
		x := &p.cuts[i]
		part := b
		part.Range, part.Data = x.Range, b.Data[x.Start-b.Range.Start:x.End-b.Range.Start]
		part.Lines = int(x.lines)
		var spooledBatch *spooledBatch
		if spooledBatch, err = in.appender.append(ctx, st, part, p, i); err != nil {
			// The rows of the cuts that were appended must be put. Those of the other cuts are
			// harmless: they have the same keys when they are put again.
			break
		}
		p.batches = append(p.batches, spooledBatch)
		in.counters.Lines.Add(x.lines - x.holes)
		in.counters.Bytes.Add(x.Len())
		in.counters.ParseErrors.Add(x.errors)
		st.arrivals.add(x)
		st.arrivals.parsed(in.cfg.Now(), b.Stream.Path, x, b.Data, b.Range.Start)
	}
	in.table.handOver(p)
	return err
}

// offer is append, but waits until the spool has room. If the collector retries failures, it waits
// for any ErrBusy.
func (in *intake) offer(ctx context.Context, t *checkpoint.Stream, b schema.Batch) error {
	for {
		changed := in.life.changes()
		err := in.append(ctx, t, b, nil)
		if !errors.Is(err, ErrBusy) || !in.cfg.RetryFailures && !errors.Is(err, errFull) {
			return err
		}
		if !errors.Is(err, errFull) {
			changed = nil // a removed segment does not mean that a failed disk works again
		}
		if paused := in.life.pause(ctx, changed); paused != nil {
			return fmt.Errorf("%w; %w", paused, err)
		}
	}
}
