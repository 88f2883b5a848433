package collector

import (
	"context"
	"runtime"

	"sluice/ingest/segment"
	"sluice/schema"
)

// appender compresses batches and appends them to segments. It is safe for concurrent use.
type appender struct {
	cfg      *Config
	life     *lifecycle
	spool    *spool
	sealer   *sealer
	columns  *columnQueue // gets the column chunks of the appended cuts
	encoders chan *segment.Encoder
}

func newAppender(cfg *Config, life *lifecycle, spool *spool, columns *columnQueue) (*appender, error) {
	a := &appender{
		cfg: cfg, life: life, spool: spool, sealer: &sealer{cfg, spool}, columns: columns,
		encoders: make(chan *segment.Encoder, runtime.GOMAXPROCS(0)),
	}
	for range cap(a.encoders) {
		enc, err := segment.NewEncoder(cfg.Level)
		if err != nil {
			return nil, err
		}
		a.encoders <- enc
	}
	return a, nil
}

// append writes cut i of the parsed batch from, which is the batch b, as one member to the open
// segment of its host, period and label group. The error wraps ErrBusy if the batch can be offered
// again.
func (a *appender) append(ctx context.Context, st *streamState, b schema.Batch, from *parsedBatch, i int) (*spooledBatch, error) {
	key := segmentKey{b.Stream.Host, from.cuts[i].period, a.cfg.Naming.Group(b.Labels)}
	for {
		if err := a.closeSome(key); err != nil {
			return nil, err
		}
		sp, err := a.spool.segment(key, b.Labels)
		if err != nil {
			return nil, err
		}
		if p, err := a.appendTo(ctx, sp, st, b, from, i); p != nil || err != nil {
			return p, err
		}
		// The segment was sealed before the append: use a new one.
	}
}

// appendTo appends to the segment sp. It returns nil and no error if the segment is no longer open.
func (a *appender) appendTo(ctx context.Context, sp *spooled, st *streamState, b schema.Batch, from *parsedBatch, i int) (*spooledBatch, error) {
	sp.use.RLock()
	defer sp.use.RUnlock()
	if sp.writer == nil {
		return nil, nil
	}
	select {
	case enc := <-a.encoders:
		m, err := sp.writer.Append(enc, b)
		a.encoders <- enc
		if err != nil {
			a.spool.rollBroken(sp)
			return nil, a.life.spoolFailed(err)
		}
		a.columns.pass(sp, m, &b, from, i) // sp.use is held, so the segment cannot be sealed before this
		x := &from.cuts[i]
		p := &spooledBatch{stream: st, Range: b.Range, lines: x.lines - x.holes, errors: x.errors, first: x.first, last: x.last, in: sp, member: m, at: a.cfg.Now()}
		a.spool.appended(p, x.zone)
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// closeSome ensures that one more segment may be opened. At the limit it rolls the open segments of
// the host that has the most, and seals rolled segments itself: the goroutines that archive
// segments may be blocked by the archive.
func (a *appender) closeSome(key segmentKey) error {
	for {
		sp := a.spool.closeFirst(key)
		if sp == nil {
			return nil
		}
		if err := a.sealer.seal(sp); err != nil {
			return a.life.spoolFailed(err)
		}
	}
}
