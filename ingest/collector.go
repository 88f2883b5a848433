package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/parse"
	"sluice/schema"
)

// CollectorConfig is what a Collector works with.
type CollectorConfig struct {
	FS         vfs.FS
	SpoolDir   string
	Checkpoint *checkpoint.File
	Table      Table
	Archive    Archive
	Naming     Naming
	// RollBytes is the length at which a segment is sealed and archived.
	RollBytes int64
	// RollInterval after its first line a segment is sealed and archived, RollIdle
	// after its last one; 0 is never.
	RollInterval, RollIdle time.Duration
	// Level is gzip's, 1 to 9.
	Level int
	Log   *slog.Logger
}

// maxOpenSegments bounds the segments that are open at a time: a log whose
// lines are in no order of time would open one for every day there is.
const maxOpenSegments = 64

// Counters count what a Collector has done. They may be read at any time.
type Counters struct {
	Lines, Bytes, Rows, ParseErrors, Segments atomic.Int64
}

// Collector takes batches to the table and the archive. It is not safe for
// concurrent use, but for its Counters.
type Collector struct {
	cfg      CollectorConfig
	spool    spool
	enc      *segment.Encoder
	streams  map[schema.StreamID]*streamState
	rec      schema.Record
	rows     schema.Rows
	cuts     []cut
	dirty    bool // rows were put since the last Flush
	Counters Counters
}

// streamState is a stream that batches come for.
type streamState struct {
	tracked  *checkpoint.Stream
	format   *parse.Format
	rows     *schema.RowEncoder
	received rangeSet // in segments, or stored
	archived rangeSet
	pieces   []piece // archived, beyond Stored
	period   period  // of the last dated line
}

// NewCollector takes up what an earlier life left in the spool: whole batches
// are written to the table again and archived, a torn tail is cut.
func NewCollector(ctx context.Context, cfg CollectorConfig) (*Collector, error) {
	enc, err := segment.NewEncoder(cfg.Level)
	if err != nil {
		return nil, err
	}
	c := &Collector{cfg: cfg, enc: enc, streams: map[schema.StreamID]*streamState{},
		spool: spool{fsys: cfg.FS, dir: cfg.SpoolDir, open: map[string]*spooled{}}}
	if err := cfg.Archive.Sweep(ctx); err != nil {
		return nil, err
	}
	if err := vfs.MkdirAll(cfg.FS, cfg.SpoolDir, 0o750); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	cut, err := c.spool.recover(func(sp *spooled, m segment.Member, data []byte) error {
		return c.replay(ctx, sp, m, data)
	})
	if err != nil {
		return nil, fmt.Errorf("spool: take up what an earlier run left: %w", err)
	}
	for _, sp := range c.spool.held {
		cfg.Checkpoint.UseSeq(sp.name.Seq)
	}
	if cut > 0 {
		cfg.Log.Warn("a torn segment was cut; its lines are read from the log again", "bytes", cut)
	}
	if len(c.spool.held) > 0 {
		cfg.Log.Info("finishing the segments of an earlier run", "segments", len(c.spool.held))
		return c, c.commit(ctx)
	}
	return c, nil
}

// replay takes one recovered member into account, and writes its rows again
// unless the checkpoint says that they are stored.
func (c *Collector) replay(ctx context.Context, sp *spooled, m segment.Member, data []byte) error {
	tracked := c.cfg.Checkpoint.Stream(m.Stream)
	if tracked == nil {
		return fmt.Errorf("%s holds stream %s, which the checkpoint does not know: %w", sp.path, m.Stream, checkpoint.ErrDamaged)
	}
	st, err := c.stream(tracked)
	if err != nil {
		return err
	}
	p := piece{m.Stream, m.Range, int64(m.Lines), 0}
	// What the last life noted of its end may not have been saved. Without it a copy
	// of the log could not be told from another log, and would be stored twice.
	if m.Range.End > tracked.TailAt {
		c.cfg.Checkpoint.Remember(tracked, data, m.Range.End)
	}
	if m.Range.End > tracked.Stored {
		c.rows.Reset()
		c.parse(st, schema.Batch{Stream: &tracked.Stream, Range: m.Range, Data: data, Lines: m.Lines})
		for _, x := range c.cuts {
			p.errors += x.errors
		}
		if err := c.cfg.Table.Put(ctx, &c.rows); err != nil {
			return err
		}
		st.received.add(m.Range)
	}
	sp.pieces = append(sp.pieces, p)
	return nil
}

// stream returns the state of a stream, made on its first batch.
func (c *Collector) stream(t *checkpoint.Stream) (*streamState, error) {
	if st := c.streams[t.ID]; st != nil && st.format.String() == t.Format {
		return st, nil
	}
	zone, err := time.LoadLocation(t.Zone)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", t.ID, err)
	}
	format, err := parse.Lookup(t.Format, zone)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", t.ID, err)
	}
	rows := c.cfg.Table.Layout().NewRowEncoder(&t.Stream, format.Fields())
	avro, err := rows.Schema()
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", t.ID, err)
	}
	c.cfg.Checkpoint.Update(func() { t.Schema = avro })
	st := c.streams[t.ID]
	if st == nil {
		st = &streamState{tracked: t}
		stored := schema.Range{Start: 0, End: t.Stored}
		st.received.add(stored)
		st.archived.add(stored)
		c.streams[t.ID] = st
	}
	st.format, st.rows = format, rows
	return st, nil
}

// Append takes a batch: what of it was not received before goes into segments
// and into the table. The stream must be in the checkpoint, saved.
func (c *Collector) Append(ctx context.Context, t *checkpoint.Stream, b schema.Batch) error {
	st := c.streams[t.ID]
	fresh := st == nil
	st, err := c.stream(t)
	if err != nil {
		return err
	}
	if fresh {
		// Rows are read by their stream's format, so its own row goes first.
		c.rows.Reset()
		c.cfg.Table.Layout().AppendStream(&c.rows, &t.StreamEntry)
		if err := c.cfg.Table.Put(ctx, &c.rows); err != nil {
			return err
		}
	}
	for _, r := range st.received.missing(b.Range) {
		part := b
		if r != b.Range {
			part.Range, part.Data = r, b.Data[r.Start-b.Range.Start:r.End-b.Range.Start]
		}
		if err := c.append(ctx, st, part); err != nil {
			return err
		}
	}
	return c.roll(ctx)
}

func (c *Collector) append(ctx context.Context, st *streamState, b schema.Batch) error {
	c.rows.Reset()
	lines := c.parse(st, b)
	// Compressing and writing rows take about as long: side by side.
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.spoolCuts(st, b) })
	group.Go(func() error { return c.cfg.Table.Put(ctx, &c.rows) })
	if err := group.Wait(); err != nil {
		return err
	}
	st.received.add(b.Range)
	c.dirty = true
	c.Counters.Lines.Add(lines)
	c.Counters.Rows.Add(int64(c.rows.Len()))
	c.Counters.Bytes.Add(b.Range.Len())
	return nil
}

// spoolCuts writes the batch into segments, a member for each period.
func (c *Collector) spoolCuts(st *streamState, b schema.Batch) error {
	for i := range c.cuts {
		x := &c.cuts[i]
		sp, err := c.spool.append(c.enc, schema.Batch{
			Stream: b.Stream, Range: x.Range, Lines: int(x.lines),
			Data: b.Data[x.Start-b.Range.Start : x.End-b.Range.Start],
		}, x.period, c.cfg.Checkpoint.NextSeq)
		if err != nil {
			return err
		}
		sp.pieces = append(sp.pieces, x.piece)
		c.Counters.ParseErrors.Add(x.errors)
	}
	return nil
}

// roll archives the segments that are long enough, or all when there are too many.
func (c *Collector) roll(ctx context.Context) error {
	minBytes := c.cfg.RollBytes
	if len(c.spool.open) > maxOpenSegments {
		minBytes = 0
	}
	if err := c.spool.seal(minBytes); err != nil {
		return err
	}
	if !slices.ContainsFunc(c.spool.held, func(sp *spooled) bool { return !sp.stored }) {
		return nil
	}
	return c.commit(ctx)
}

// Tick does what is due by the clock: rows become durable, and segments that are
// old or idle are sealed and archived.
func (c *Collector) Tick(ctx context.Context, now time.Time) error {
	if err := c.spool.sealOld(now, c.cfg.RollInterval, c.cfg.RollIdle); err != nil {
		return err
	}
	c.forget()
	if slices.ContainsFunc(c.spool.held, func(sp *spooled) bool { return !sp.stored }) {
		return c.commit(ctx)
	}
	if !c.dirty {
		return nil
	}
	c.dirty = false
	return c.cfg.Table.Flush(ctx)
}

// forget drops the streams that the checkpoint has forgotten, but for those that
// a segment still names.
func (c *Collector) forget() {
	named := map[schema.StreamID]bool{}
	for _, sp := range c.spool.held {
		for _, p := range sp.pieces {
			named[p.stream] = true
		}
	}
	maps.DeleteFunc(c.streams, func(id schema.StreamID, _ *streamState) bool {
		return !named[id] && c.cfg.Checkpoint.Stream(id) == nil
	})
}

// Close archives what is left and brings the checkpoint up to date.
func (c *Collector) Close(ctx context.Context) error {
	if err := c.spool.seal(0); err != nil {
		return errors.Join(err, c.spool.close())
	}
	return c.commit(ctx)
}

// Abort closes what a failure left open. Nothing is lost: the next start goes
// on from there.
func (c *Collector) Abort() error { return c.spool.close() }

// commit makes sealed segments stored. The order is the guarantee: the archive
// has the file and rows are durable, then the checkpoint says so, and only then
// the local file goes. A crash between any two repeats steps that change nothing
// when repeated.
func (c *Collector) commit(ctx context.Context) error {
	touched := map[schema.StreamID]bool{}
	for _, sp := range c.spool.held {
		if sp.stored {
			continue
		}
		name, err := c.archiveName(sp.name)
		if err != nil {
			return err
		}
		if err := c.cfg.Archive.Store(ctx, sp.path, name); err != nil {
			return fmt.Errorf("archive: store %s: %w", name, err)
		}
		sp.stored = true
		c.Counters.Segments.Add(1)
		for _, p := range sp.pieces {
			st := c.streams[p.stream]
			st.archived.add(p.Range)
			st.pieces = append(st.pieces, p)
			touched[p.stream] = true
		}
	}
	if err := c.writeDirectory(ctx, touched); err != nil {
		return err
	}
	if err := c.cfg.Checkpoint.Save(); err != nil {
		return err
	}
	return c.spool.forget(func(sp *spooled) bool {
		return !slices.ContainsFunc(sp.pieces, func(p piece) bool { return p.End > c.streams[p.stream].tracked.Stored })
	})
}

// writeDirectory advances stored, writes the streams' own rows, and makes all
// rows durable.
func (c *Collector) writeDirectory(ctx context.Context, touched map[schema.StreamID]bool) error {
	c.rows.Reset()
	for id := range touched {
		st := c.streams[id]
		c.cfg.Checkpoint.Update(st.advance)
		c.cfg.Table.Layout().AppendStream(&c.rows, &st.tracked.StreamEntry)
	}
	if err := c.cfg.Table.Put(ctx, &c.rows); err != nil {
		return err
	}
	c.dirty = false
	return c.cfg.Table.Flush(ctx)
}

// positions are how far each stream was received, of those that have segments.
func (c *Collector) positions() map[schema.StreamID]int64 {
	positions := map[schema.StreamID]int64{}
	for id, st := range c.streams {
		positions[id] = st.received.prefix()
	}
	return positions
}

// advance moves Stored over what is archived without a gap, and counts it once.
func (st *streamState) advance() {
	e := &st.tracked.StreamEntry
	stored := st.archived.prefix()
	st.pieces = slices.DeleteFunc(st.pieces, func(p piece) bool {
		if p.End > stored {
			return false
		}
		if p.Start >= e.Stored {
			e.Lines += p.lines
			e.ParseErrors += p.errors
		}
		return true
	})
	e.Stored = max(e.Stored, stored)
}

// archiveName is made from the segment alone, so that storing it again gives
// the same name.
func (c *Collector) archiveName(n segment.Name) (string, error) {
	start, err := time.Parse(periodLayout[:len(n.Period)], n.Period)
	if err != nil {
		return "", err
	}
	dir, err := c.cfg.Naming.Expand(start, map[string]string{"host": n.Host})
	if err != nil {
		return "", err
	}
	return path.Join(filepath.ToSlash(dir), fmt.Sprintf("access.%s-%06d.log.gz", c.cfg.Checkpoint.Collector(), n.Seq)), nil
}
