package columnar

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sluice/ingest/segment"
	"sluice/parse"
	"sluice/schema"
)

// FromSegment makes the file of a sealed segment from the segment.
func FromSegment(ctx context.Context, src io.ReaderAt, size int64, w io.Writer, o WriterOptions, e EncoderOptions) (Meta, error) {
	r := &segmentReader{segment: segment.NewReader(src, size), opts: e, encoders: map[schema.StreamID]*streamEncoder{}}
	out := NewWriter(w, o)
	for {
		if err := ctx.Err(); err != nil {
			return Meta{}, err
		}
		m, err := r.segment.Next()
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err == nil {
			err = r.member(m, out)
		}
		if err != nil {
			return Meta{}, fmt.Errorf("columnar: the columns of segment %s: %w", o.Segment, err)
		}
	}
}

// segmentReader converts the members of a segment to chunks.
type segmentReader struct {
	segment  *segment.Reader
	opts     EncoderOptions
	encoders map[schema.StreamID]*streamEncoder
	chunk    Chunk
	rec      schema.Record
}

// streamEncoder is a stream as described by its last entry in the segment.
type streamEncoder struct {
	entry   schema.StreamEntry
	format  *parse.Format
	encoder *Encoder
}

// member adds the rows of a member.
func (r *segmentReader) member(m segment.Member, w *Writer) error {
	s, err := r.stream(m)
	if err != nil {
		return err
	}
	data, err := r.segment.Data()
	if err != nil {
		return err
	}
	r.chunk.Reset()
	bad := 0
	for offset := m.Range.Start; len(data) > 0; {
		line, at, size, ok := schema.CutLine(data)
		if ok {
			s.format.Parse(line, &r.rec)
			s.encoder.Append(&r.chunk, offset+int64(at), &r.rec)
			if r.rec.Err.Set() {
				bad++
			}
		}
		data, offset = data[size:], offset+int64(size)
	}
	return w.Append(&s.entry.Stream, s.entry.Labels, m.Range, bad, &r.chunk)
}

// stream returns the encoder of a member's stream.
func (r *segmentReader) stream(m segment.Member) (*streamEncoder, error) {
	if m.EntryBytes == 0 {
		if s := r.encoders[m.Stream]; s != nil {
			return s, nil
		}
		return nil, fmt.Errorf("stream %s is not described", m.Stream)
	}
	entry, err := r.segment.Entry()
	if err != nil {
		return nil, err
	}
	s := &streamEncoder{entry: entry}
	if s.format, err = parse.OfStream(&entry.Stream); err != nil {
		return nil, err
	}
	if s.encoder, err = NewEncoder(&entry.Stream, entry.Labels, s.format, r.opts); err != nil {
		return nil, err
	}
	r.encoders[m.Stream] = s
	return s, nil
}
