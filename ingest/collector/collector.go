package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

// Collector stores batches in the table and the archive. Its methods may be called by several
// goroutines. Its parts, each with a lock of its own where it needs one:
//
//   - intake parses a batch, and appender appends it to a segment (receive.go, append.go),
//   - streams has how far each stream is received, synced and stored (streams.go),
//   - spool has the segments, and syncer and sealer make them durable and whole (spool.go),
//   - tableWriter puts rows (table.go), and columnFiller and columnStorer Parquet files,
//   - archiver stores sealed segments, marker marks complete days (archiver.go, closed.go),
//   - committer saves what is stored in the checkpoint, and removes it from the spool (commit.go).
type Collector struct {
	Counters Counters

	cfg       Config
	life      *lifecycle
	streams   *streams
	spool     *spool
	syncer    *syncer
	columns   *columnQueue
	table     *tableWriter
	intake    *intake
	committer *committer
	marker    *marker
}

// New recovers what an earlier process left in the spool, and starts the collector's goroutines. An
// incomplete batch at the end of a segment is cut off; complete ones are written to the table again
// and archived. The caller must call Close or Abort. ctx is used only during the start.
func New(ctx context.Context, cfg Config) (*Collector, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Uploads = max(cfg.Uploads, 1)
	cfg.columnBytes = cmp.Or(cfg.columnBytes, columnFileBytes)
	cfg.OpenSegments = cmp.Or(cfg.OpenSegments, maxOpenSegments)
	c := &Collector{cfg: cfg, life: newLifecycle(ctx, cfg.RetryFailures, cfg.Now, cfg.Log), streams: newStreams(cfg.Checkpoint)}
	c.spool = newSpool(&c.cfg, c.life, c.streams)
	c.syncer = &syncer{life: c.life, streams: c.streams, spool: c.spool, requests: make(chan struct{}, 1)}
	c.columns = newColumnQueue(&c.cfg, c.life)
	c.table = newTableWriter(&c.cfg, c.life, c.columns, &c.Counters)
	c.committer = &committer{cfg: &c.cfg, life: c.life, streams: c.streams, spool: c.spool, table: c.table}
	c.marker = &marker{cfg: &c.cfg, life: c.life, spool: c.spool, ticks: make(chan time.Time, 1)}
	a, err := newAppender(&c.cfg, c.life, c.spool, c.columns)
	c.intake = &intake{cfg: &c.cfg, life: c.life, streams: c.streams, spool: c.spool, appender: a, table: c.table, counters: &c.Counters}
	sweeper := &sweeper{cfg: &c.cfg, life: c.life}
	if err == nil {
		err = c.takeUp(ctx, sweeper)
	}
	if err != nil {
		c.life.stop()
		sweeper.giveUp()
		return nil, err
	}
	c.start(sweeper)
	return c, nil
}

// takeUp prepares the archive and recovers the spool.
func (c *Collector) takeUp(ctx context.Context, sweeper *sweeper) error {
	if err := sweeper.first(ctx); err != nil {
		return err
	}
	if err := vfs.MkdirAll(c.cfg.FS, c.cfg.SpoolDir, 0o750); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	r := &recovery{cfg: &c.cfg, streams: c.streams, spool: c.spool, backlog: c.table.backlog}
	cut, err := r.run()
	if err != nil {
		return fmt.Errorf("spool: recover what an earlier run left: %w", err)
	}
	if cut > 0 {
		c.cfg.Log.Warn("torn segment truncated; its lines are read from the log again", "bytes", cut)
	}
	if n := len(c.spool.due); n > 0 {
		c.cfg.Log.Info("recovered segments of the previous run, finishing them", "segments", n)
	}
	return nil
}

// start starts the goroutines.
func (c *Collector) start(sweeper *sweeper) {
	c.life.start(func(ctx context.Context) error {
		defer c.table.close()
		if err := c.table.awaitTable(ctx); err != nil {
			return err
		}
		return c.committer.run(ctx)
	})
	c.life.start(c.syncer.run)
	a := &archiver{cfg: &c.cfg, life: c.life, spool: c.spool, sealer: c.intake.appender.sealer, columns: c.columns, counters: &c.Counters, nudge: c.table.nudge}
	for range c.cfg.Uploads {
		c.life.start(a.run)
	}
	if c.cfg.Columns != nil {
		s := &columnStorer{cfg: &c.cfg, life: c.life, queue: c.columns, streams: c.streams, counters: &c.Counters, nudge: c.table.nudge}
		for range c.cfg.Uploads {
			c.life.start(s.run)
		}
		c.life.start((&columnFiller{cfg: &c.cfg, queue: c.columns, files: map[*spooled]*columnFile{}}).run)
	}
	if c.cfg.MarkClosed {
		c.life.start(c.marker.run)
	}
	c.life.start(sweeper.run)
	c.spool.feedMore(nil)
}

// Append accepts a batch: the part that was not received before is appended to segments, and queued
// for the table. The stream must be in the saved checkpoint. Batches of one stream are accepted in
// the order of the calls. b.Data is not kept.
//
// An error that wraps ErrBusy means that the batch, or its last part, was not accepted and can be
// offered again; any other error is permanent. The batch is durable only after Sync.
func (c *Collector) Append(ctx context.Context, t *checkpoint.Stream, b schema.Batch) error {
	return c.intake.append(ctx, t, b, nil)
}

// Receive is Append for a batch of a sender that says that everything before claimed is stored, and
// that has offered everything before offered.
func (c *Collector) Receive(ctx context.Context, t *checkpoint.Stream, b schema.Batch, claimed, offered int64) error {
	return c.intake.append(ctx, t, b, func(st *streamState) error {
		return c.streams.checkHole(st, b.Range.Start, claimed, offered)
	})
}

// Offer is Append, but waits until the spool has room.
func (c *Collector) Offer(ctx context.Context, t *checkpoint.Stream, b schema.Batch) error {
	return c.intake.offer(ctx, t, b)
}

// Sync waits until a range that Append accepted is on disk. Concurrent calls share one fsync for
// each segment. An error that wraps ErrBusy means that the disk failed, and that the range must be
// offered again.
func (c *Collector) Sync(ctx context.Context, t *checkpoint.Stream, r schema.Range) error {
	return c.syncer.sync(ctx, c.streams.of(t), r)
}

// Compare reports how lines at a range of a sparse stream agree with what was received of it.
func (c *Collector) Compare(ctx context.Context, t *checkpoint.Stream, r schema.Range, lines []byte) (Match, error) {
	return c.intake.compare(ctx, c.streams.of(t), r, lines)
}

// Tick starts what is due by the clock: the table is flushed, and old or idle segments are sealed
// and archived. It does not wait for that.
func (c *Collector) Tick(now time.Time) error {
	c.spool.rollOld(now, c.cfg.RollInterval, c.cfg.RollIdle)
	c.streams.forget()
	c.committer.requestFlush()
	c.table.nudge()
	select {
	case c.marker.ticks <- now:
	default: // one is under way
	}
	return c.life.ended(nil)
}

// Roll starts sealing and archiving the open segments of a host, which will send no more lines. It
// does not wait for that.
func (c *Collector) Roll(host string) { c.spool.rollHost(host) }

// Close archives the rest and saves the checkpoint; it waits for that until ctx ends. The next
// process stores what is not stored then.
func (c *Collector) Close(ctx context.Context) error {
	err := c.drain(ctx)
	if err == nil && c.cfg.MarkClosed {
		err = c.marker.mark(ctx, c.cfg.Now())
	}
	return errors.Join(err, c.Abort())
}

// drain rolls every segment and waits until all is stored.
func (c *Collector) drain(ctx context.Context) error {
	c.committer.drain()
	for {
		changed := c.life.changes()
		c.spool.roll(0)
		left := c.committer.pending()
		if err := c.life.ended(nil); err != nil || !left {
			return err
		}
		c.table.nudge()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d segments are not stored yet, the next start continues with them: %w", c.State().Segments, ctx.Err())
		}
	}
}

// Abort stops at once, without storing the rest. Nothing is lost: the next process recovers the
// spool.
func (c *Collector) Abort() error {
	c.life.fail(errEnded)
	c.life.stop()
	return c.spool.close()
}

// Done is closed when the collector stops working, because of an error or because it is closed.
func (c *Collector) Done() <-chan struct{} { return c.life.ctx.Done() }

// Err returns the error that stopped the collector, or nil.
func (c *Collector) Err() error {
	if c.life.ctx.Err() == nil {
		return nil
	}
	return c.life.ended(errEnded)
}

// SaveCheckpoint saves the checkpoint. A collector that retries failures does so until it succeeds.
func (c *Collector) SaveCheckpoint(ctx context.Context) error {
	return c.life.attempt(ctx, "checkpoint", c.cfg.Checkpoint.Save)
}
