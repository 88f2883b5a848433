package collector

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// streamState is a stream that batches come for.
type streamState struct {
	tracked  *checkpoint.Stream
	arrivals *arrivals // of its host

	taking sync.Mutex // held while a batch is taken, so that lines stay in order
	reader lineReader

	declared bool       // its directory row was put; the goroutine that stores owns it
	again    lineReader // and reads segments with this

	// Under Collector.mu:
	received schema.RangeSet // in segments, or stored
	synced   schema.RangeSet // of these, what survives a crash
	stored   schema.RangeSet // in table and archive
	// gaps are before what was received and were not: their sender has them stored
	// elsewhere, or they are long overdue (hole.go).
	gaps   schema.RangeSet
	pieces []*piece // stored, beyond tracked.Stored
	held   int      // pieces of it in the spool
	// forgotten is up to where a sparse stream may have had lines that the spool has
	// no more.
	forgotten int64
}

// piece is one member of a segment: a range of a stream, and what its lines were.
type piece struct {
	stream *streamState
	schema.Range
	lines, errors int64
	first, last   int64 // event times; 0 where no line is dated
	in            *spooled
	member        segment.Member
	earlier       bool      // an earlier life received it
	tabled        bool      // its rows were put, or there is no table
	at            time.Time // when it was received; of an earlier one, when it was taken up
}

// lineReader reads one stream's lines. Not safe for concurrent use.
type lineReader struct {
	format  *parse.Format
	labels  map[string]string
	encoder *schema.RowEncoder // nil: rows are not wanted
	columns *columnar.Encoder  // nil: columns are not wanted
	status  int                // index of the status field, -1 where the format has none
	schema  string             // of packed records
	period  period             // of the last dated line
}

// prepare makes the reader one of the stream's present format and labels.
func (r *lineReader) prepare(stream *schema.Stream, labels map[string]string, cfg *Config, columns bool) error {
	rows := cfg.Table != nil && cfg.tableReady()
	if r.format != nil && r.format.String() == stream.Format && maps.Equal(r.labels, labels) && (r.encoder != nil || !rows) {
		return nil
	}
	if err := segment.CheckEntry(*stream, labels); err != nil {
		return fmt.Errorf("stream %s: %w", stream.ID, err)
	}
	format, err := parse.OfStream(stream)
	if err != nil {
		return err
	}
	if rows {
		encoder := cfg.Table.Layout().NewRowEncoder(stream, format.Fields())
		if r.schema, err = encoder.Schema(); err != nil {
			return fmt.Errorf("stream %s: %w", stream.ID, err)
		}
		r.encoder = encoder
	}
	if columns {
		if r.columns, err = columnar.NewEncoder(stream, labels, format, columnar.EncoderOptions{AllLines: cfg.AllLines}); err != nil {
			return fmt.Errorf("stream %s: %w", stream.ID, err)
		}
	}
	r.format, r.labels, r.status = format, labels, schema.Index(format.Fields(), "status")
	return nil
}

// prepare makes one of a stream's readers one of its present format, and returns
// the stream as the checkpoint has it.
func (c *Collector) prepare(st *streamState, r *lineReader) (*schema.Stream, map[string]string, error) {
	origin, labels := c.origin(st.tracked)
	if err := r.prepare(origin, labels, &c.cfg, c.cfg.Columns != nil && r == &st.reader); err != nil {
		return nil, nil, err
	}
	if c.cfg.Table == nil || r.encoder != nil {
		c.cfg.Checkpoint.Update(func() { st.tracked.Schema = r.schema })
	}
	return origin, labels, nil
}

// stream returns the state of a stream, made on its first batch.
func (c *Collector) stream(t *checkpoint.Stream) *streamState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streamOf(t)
}

// streamOf is stream; c.mu is held, or nobody else is there yet.
func (c *Collector) streamOf(t *checkpoint.Stream) *streamState {
	st := c.streams[t.ID]
	if st == nil {
		st = c.newState(t)
		st.arrivals = c.arrivalsOf(t.Host)
		c.streams[t.ID] = st
	}
	return st
}

// newState is the state of a stream as the checkpoint has it.
func (c *Collector) newState(t *checkpoint.Stream) *streamState {
	st := &streamState{tracked: t}
	if stored := c.cfg.Checkpoint.Stored(t); t.Sparse {
		st.forgotten = stored
	} else {
		st.claim(stored, c.cfg.Checkpoint.Missing(t))
	}
	return st
}

// claim takes everything before position as stored, but for gaps.
func (st *streamState) claim(position int64, gaps []schema.Range) {
	for _, set := range []*schema.RangeSet{&st.received, &st.synced, &st.stored} {
		set.Add(schema.Range{Start: 0, End: position})
		for _, gap := range gaps {
			set.Remove(gap)
		}
	}
	st.gaps = slices.Clone(gaps)
}

// origin is the stream as the checkpoint has it now; its format may change once.
func (c *Collector) origin(t *checkpoint.Stream) (s *schema.Stream, labels map[string]string) {
	c.cfg.Checkpoint.Update(func() {
		now := t.Stream
		s, labels = &now, t.Labels
	})
	return s, labels
}

// Positions returns the received position of each stream that has segments or was used.
func (c *Collector) Positions() map[schema.StreamID]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	positions := map[schema.StreamID]int64{}
	for id, st := range c.streams {
		positions[id] = st.received.Prefix()
	}
	return positions
}

// Received returns the position up to which a stream was received, on disk or not yet.
func (c *Collector) Received(t *checkpoint.Stream) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streamOf(t).received.Prefix()
}

// Position is how far a stream is received, on disk, and how far it is stored.
type Position struct{ Received, Stored int64 }

// Position returns a stream's. claimed is up to where the one who asks knows it to be
// stored, here or elsewhere; 0 is nothing. What is claimed is believed for this answer
// only, so that nobody can make lines of others count as received.
func (c *Collector) Position(t *checkpoint.Stream, claimed int64) Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[t.ID]
	if st == nil {
		st = c.newState(t) // not kept: a sender may name many that it sends nothing of
	}
	return Position{st.synced.ReachFrom(claimed), st.stored.ReachFrom(claimed)}
}

// Held are the streams that the spool has something of.
func (c *Collector) Held() map[schema.StreamID]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := map[schema.StreamID]bool{}
	for id, st := range c.streams {
		if st.held > 0 {
			held[id] = true
		}
	}
	return held
}

// forgetStreams drops the streams that the checkpoint has forgotten, but for those
// that a segment still names. c.mu is held.
func (c *Collector) forgetStreams() {
	for id, st := range c.streams {
		if st.held == 0 && c.cfg.Checkpoint.Stream(id) == nil {
			delete(c.streams, id)
		}
	}
}

// advanced is the stream's entry as it is when its pieces up to stored are counted.
// c.mu is held.
func (st *streamState) advanced(e schema.StreamEntry) schema.StreamEntry {
	stored := st.stored.PrefixOver(st.gaps)
	if e.Sparse {
		stored = st.stored.Reached()
	}
	st.pieces = slices.DeleteFunc(st.pieces, func(p *piece) bool {
		if p.End > stored {
			return false
		}
		if p.Start >= e.Stored || !p.earlier {
			e.Lines += p.lines
			e.ParseErrors += p.errors
			if p.last != 0 {
				e.Extend(p.first)
				e.Extend(p.last)
			}
		}
		return true
	})
	e.Stored = max(e.Stored, stored)
	return e
}

// tableReady reports whether Table can be used.
func (cfg *Config) tableReady() bool {
	if cfg.TableReady == nil {
		return true
	}
	select {
	case <-cfg.TableReady:
		return true
	default:
		return false
	}
}
