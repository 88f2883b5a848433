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
	columns  *columnQueue // gets the columns of what is appended
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

// append writes a parcel's cut i as one member into the open segment of its host, period and
// labels.
func (a *appender) append(ctx context.Context, st *streamState, b schema.Batch, from *parcel, i int) (*piece, error) {
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
		// It was rolled in the moment between.
	}
}

// appendTo returns nil, and no error, for a segment that is not open any more.
func (a *appender) appendTo(ctx context.Context, sp *spooled, st *streamState, b schema.Batch, from *parcel, i int) (*piece, error) {
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
		a.columns.pass(sp, m, &b, from, i) // before the segment can be sealed
		x := &from.cuts[i]
		p := &piece{stream: st, Range: b.Range, lines: x.lines - x.holes, errors: x.errors, first: x.first, last: x.last, in: sp, member: m, at: a.cfg.Now()}
		a.spool.appended(p, x.zone)
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// closeSome makes room for one more open segment where as many are open as may be. It
// rolls those of the host that has the most, and seals what is rolled itself: those who
// archive segments may be waiting for the archive.
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
