package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"sluice/archive"
	"sluice/archive/index"
	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
)

// ReplayConfig is the parameters of a Replay.
type ReplayConfig struct {
	Table   Table
	Archive index.Archive
	Pattern archive.Pattern
	// Format and Zone are for streams that neither table nor archive describes; "" leaves them out.
	Format, Zone string
}

// Replay fills a table from an archive.
type Replay struct {
	cfg     ReplayConfig
	catalog *index.Catalog
	streams map[schema.StreamID]*replayed

	mu     sync.Mutex
	failed []string
	bad    map[int32]bool // damaged members

	// Lines, Bytes and ParseErrors count what is in the table; they may be read at
	// any time.
	Lines, Bytes, ParseErrors atomic.Int64
}

// replayed is a stream being replayed. Its count is written under the replay's lock.
type replayed struct {
	entry  schema.StreamEntry
	held   *index.Stream
	format *parse.Format
	count
	damaged []schema.Range
}

// NewReplay reads what the archive holds.
func NewReplay(ctx context.Context, cfg ReplayConfig) (*Replay, error) {
	r := &Replay{cfg: cfg, streams: map[schema.StreamID]*replayed{}, bad: map[int32]bool{}}
	var err error
	if r.catalog, err = index.Read(ctx, cfg.Archive, cfg.Pattern, nil); err != nil {
		return nil, err
	}
	list, err := cfg.Table.Streams(ctx)
	if err != nil {
		return nil, err
	}
	known := map[schema.StreamID]schema.StreamEntry{}
	for _, e := range list {
		known[e.ID] = e
	}
	for _, id := range r.catalog.StreamIDs() {
		r.add(r.catalog.Streams[id], known[id])
	}
	for i := range r.catalog.Files {
		f := &r.catalog.Files[i]
		for _, d := range f.Damage {
			r.failed = append(r.failed, damageText(f, d))
		}
	}
	return r, nil
}

// add adds one stream, as described in the table, otherwise in the archive, otherwise by the flags.
func (r *Replay) add(held *index.Stream, known schema.StreamEntry) {
	e := held.Entry
	switch {
	case known.ID != 0:
		e = known
	case held.Described:
	case r.cfg.Format != "":
		file := &r.catalog.Files[r.catalog.Members[held.Members[0]].File]
		e.Host, e.Path, e.Format, e.Zone, e.Labels = file.Host, file.Name, r.cfg.Format, r.cfg.Zone, file.Labels
	default:
		r.fail("stream %s: neither table nor archive say how its lines are to be read: give --format", e.ID)
		return
	}
	format, err := parse.OfStream(&e.Stream)
	if err != nil {
		r.fail("%v", err)
		return
	}
	r.streams[e.ID] = &replayed{entry: e, held: held, format: format}
}

func (r *Replay) fail(format string, args ...any) {
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

// Files is the number of files.
func (r *Replay) Files() int { return len(r.catalog.Files) }

// Total is the number of bytes of log in them.
func (r *Replay) Total() (n int64) {
	for i := range r.catalog.Files {
		n += r.catalog.Files[i].LogBytes
	}
	return n
}

// Run writes every line of the archive to the table, with its original key and cells, and enters
// the streams into the table's directory. It can be repeated without effect. failed lists what
// could not be read; the rest is in the table. The error is one of table or archive.
func (r *Replay) Run(ctx context.Context) (failed []string, err error) {
	if err := r.enter(ctx); err != nil { // a reader needs a stream's format for its rows
		return nil, err
	}
	writers := make([]replayWriter, index.Workers())
	for i := range writers {
		writers[i] = replayWriter{replay: r, known: map[schema.StreamID]*schema.RowEncoder{}}
	}
	// By time: a bulk load sorts rows as they come, and writes those twice that come late.
	err = r.catalog.WalkByTime(ctx, func(worker int, i int32, data []byte, bad *segment.FormatError) (until int64, err error) {
		m := &r.catalog.Members[i]
		s := r.streams[m.Stream]
		if s == nil {
			return 0, nil
		}
		if bad != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.bad[i] = true
			r.fail("%s: bytes %v of stream %s: %v", r.catalog.Files[m.File].Name, m.Range, m.Stream, bad)
			return 0, nil
		}
		return writers[worker].put(ctx, s, data[m.Fresh-m.Range.Start:], m.Fresh)
	})
	if err == nil {
		err = r.replacements(ctx, &writers[0])
	}
	if err == nil { // before the stream directory, whose entries claim that the rows are stored
		err = r.cfg.Table.Flush(ctx)
	}
	if err == nil {
		r.settle()
		err = r.enter(ctx)
	}
	if err == nil {
		err = r.cfg.Table.Flush(ctx)
	}
	return r.failed, err
}

// replacements writes the second copy of ranges whose first copy is damaged.
func (r *Replay) replacements(ctx context.Context, w *replayWriter) (err error) {
	reader := r.catalog.NewReader()
	defer func() { err = errors.Join(err, reader.Close()) }()
	for i := range r.bad {
		hole := r.catalog.Members[i].FreshRange()
		s := r.streams[r.catalog.Members[i].Stream]
		for _, j := range s.held.Members {
			m := &r.catalog.Members[j]
			part := schema.Range{Start: max(hole.Start, m.Range.Start), End: min(hole.End, m.Range.End)}
			if r.bad[j] || part.Len() <= 0 {
				continue
			}
			data, err := reader.Data(ctx, m)
			if err == nil {
				_, err = w.put(ctx, s, data[part.Start-m.Range.Start:part.End-m.Range.Start], part.Start)
			}
			if err != nil {
				return err
			}
			hole.Start = part.End
		}
		if hole.Len() > 0 {
			s.damaged = append(s.damaged, hole)
		}
	}
	return nil
}

// settle updates the streams' entries. Where the table had more than the archive, that is kept.
func (r *Replay) settle() {
	for _, s := range r.streams {
		stored := r.catalog.End(s.held)
		if !s.entry.Sparse { // Stored is the end of the last range, and not a prefix
			for _, hole := range append(r.catalog.Holes(s.held), s.damaged...) {
				stored = min(stored, hole.Start)
			}
		}
		e := &s.entry
		e.Stored = max(e.Stored, stored)
		e.Lines, e.ParseErrors = max(e.Lines, s.lines), max(e.ParseErrors, s.errors)
		for _, t := range []int64{s.first, s.last} {
			if t != 0 {
				e.Extend(t)
			}
		}
	}
}

// enter writes the streams' own rows.
func (r *Replay) enter(ctx context.Context) error {
	var rows schema.Rows
	layout := r.cfg.Table.Layout()
	for _, s := range r.streams {
		var err error
		if s.entry.Schema, err = layout.NewRowEncoder(&s.entry.Stream, s.format.Fields()).Schema(); err != nil {
			return fmt.Errorf("stream %s: %w", s.entry.ID, err)
		}
		layout.AppendStream(&rows, &s.entry)
	}
	return r.cfg.Table.Put(ctx, &rows)
}

// replayWriter makes rows for one worker.
type replayWriter struct {
	replay *Replay
	known  map[schema.StreamID]*schema.RowEncoder
	rows   schema.Rows
	rec    schema.Record
}

// put writes the rows of lines, and returns the time of the last line; 0: none has a time.
func (w *replayWriter) put(ctx context.Context, s *replayed, data []byte, start int64) (until int64, err error) {
	encoder := w.known[s.entry.ID]
	if encoder == nil {
		encoder = w.replay.cfg.Table.Layout().NewRowEncoder(&s.entry.Stream, s.format.Fields())
		w.known[s.entry.ID] = encoder
	}
	w.rows.Reset()
	var n count
	for offset, line := range index.Lines(data, start) {
		s.format.Parse(line, &w.rec)
		encoder.Append(&w.rows, offset, &w.rec)
		n.add(&w.rec)
	}
	if err := w.replay.cfg.Table.Put(ctx, &w.rows); err != nil {
		return 0, err
	}
	w.replay.Lines.Add(n.lines)
	w.replay.Bytes.Add(int64(len(data)))
	w.replay.ParseErrors.Add(n.errors)
	w.replay.mu.Lock()
	defer w.replay.mu.Unlock()
	s.merge(n)
	return n.last, nil
}
