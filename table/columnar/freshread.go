package columnar

import (
	"context"
	"fmt"
	"slices"

	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
)

// memberRunBytes is the size of the lines of a memberRun: small enough for all
// processors and for bounded memory.
const memberRunBytes = 2 << 20

// memberRun is consecutive members of a segment in the spool.
type memberRun struct {
	segment *freshSegment
	members []freshMember
}

// runs splits the segment's members that may have selected rows.
func (f *freshSegment) runs(w *Want) []memberRun {
	var runs []memberRun
	var n int64
	for i, m := range f.members {
		if w.Streams != nil && !slices.Contains(w.Streams, m.Stream) {
			continue
		}
		if len(runs) == 0 || n+m.Range.Len() > memberRunBytes {
			runs, n = append(runs, memberRun{segment: f}), 0
		}
		last := &runs[len(runs)-1]
		last.members = append(last.members, f.members[i])
		n += m.Range.Len()
	}
	return runs
}

// freshReader makes batches of fresh lines. It is not safe for concurrent use.
type freshReader struct {
	segment *freshSegment
	reader  segment.Reader
	formats parse.Formats
	streams map[*schema.StreamEntry]*freshStream
	rec     schema.Record
}

// freshStream converts a stream's lines to columns.
type freshStream struct {
	entry   *schema.StreamEntry
	format  *parse.Format
	encoder *Encoder
	chunk   Chunk
	used    bool
}

func (p memberRun) read(ctx context.Context, r *batchReader, fn func(*Batch, Selection) error) error {
	b := &r.batch
	if err := r.fresh.readRun(ctx, p, b); err != nil {
		return err
	}
	choose := r.want.chooser(r.streams, nil)
	g := groupOf(b)
	rows := choose.choose(&g, b)
	if rows.Count(b.Rows) == 0 {
		return nil
	}
	return fn(b, rows)
}

// groupOf describes a batch of fresh lines, with bounds that exclude nothing.
func groupOf(b *Batch) GroupInfo {
	return GroupInfo{Rows: b.Rows, MinTime: 0, MaxTime: 1<<63 - 1, Undated: b.Rows}
}

// open sets the current segment.
func (r *freshReader) open(f *freshSegment) {
	if r.segment != f {
		r.segment = f
		r.reader.Reset(f, f.size)
	}
}

// readRun sets b to the rows of a run of members.
func (r *freshReader) readRun(ctx context.Context, p memberRun, b *Batch) error {
	r.open(p.segment)
	var used []*freshStream
	for _, m := range p.members {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.reader.At(m.Member)
		data, err := r.reader.Data()
		if err != nil {
			return fmt.Errorf("spool: %s: %w", p.segment.path, err)
		}
		s, err := r.stream(m.entry)
		if err != nil {
			return err
		}
		if !s.used {
			s.used = true
			s.chunk.Reset()
			used = append(used, s)
		}
		for _, part := range m.counts {
			r.lines(s, data[part.Start-m.Range.Start:part.End-m.Range.Start], part.Start)
		}
	}
	chunks := make([]*Chunk, 0, len(used))
	for _, s := range used {
		s.used = false
		chunks = append(chunks, &s.chunk)
	}
	return b.FromChunks(chunks...)
}

// lines adds lines to the stream's chunk, and returns the number of parse errors.
func (r *freshReader) lines(s *freshStream, data []byte, start int64) (bad int) {
	for len(data) > 0 {
		line, at, size, ok := schema.CutLine(data)
		if ok {
			s.format.Parse(line, &r.rec)
			s.encoder.Append(&s.chunk, start+int64(at), &r.rec)
			if r.rec.Err.Set() {
				bad++
			}
		}
		data, start = data[size:], start+int64(size)
	}
	return bad
}

func (r *freshReader) stream(e *schema.StreamEntry) (*freshStream, error) {
	if s := r.streams[e]; s != nil {
		return s, nil
	}
	if r.streams == nil {
		r.streams, r.formats = map[*schema.StreamEntry]*freshStream{}, parse.Formats{}
	}
	f, err := r.formats.Of(&e.Stream)
	if err != nil {
		return nil, err
	}
	s := &freshStream{entry: e, format: f}
	if s.encoder, err = NewEncoder(&e.Stream, e.Labels, f, EncoderOptions{}); err != nil {
		return nil, err
	}
	r.streams[e] = s
	return s, nil
}
