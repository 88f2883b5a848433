package columnar

import (
	"fmt"
	"sync"

	"sluice/parse"
	"sluice/schema"
)

// streamSources are the streams of a file's rows with their formats, which are compiled on demand.
// It is safe for concurrent use.
type streamSources struct {
	streams []StreamMeta
	byID    map[schema.StreamID][]int

	mu      sync.Mutex
	formats []*parse.Format
}

func newStreamSources(streams []StreamMeta) *streamSources {
	s := &streamSources{streams: streams, byID: map[schema.StreamID][]int{}, formats: make([]*parse.Format, len(streams))}
	for i := range streams {
		id := streams[i].Stream.ID
		s.byID[id] = append(s.byID[id], i)
	}
	return s
}

// format compiles the format of stream i.
func (s *streamSources) format(i int) (*parse.Format, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.formats[i] != nil {
		return s.formats[i], nil
	}
	stream := &s.streams[i].Stream
	for j := range s.streams { // most streams of a file have the same format
		if f, o := s.formats[j], &s.streams[j].Stream; f != nil && o.Format == stream.Format && o.Zone == stream.Zone {
			s.formats[i] = f
			return f, nil
		}
	}
	f, err := parse.OfStream(stream)
	if err != nil {
		return nil, fmt.Errorf("columnar: %w", err)
	}
	s.formats[i] = f
	return f, nil
}

// lineBuilders rebuild lines of a batch's rows.
type lineBuilders struct {
	logbody, stream, offset, time, zone int // indexes of the columns; -1: not in the batch
	located                             bool
	// streamOf has, for each value of the column stream, the index of its stream or, if several streams
	// have that id, -1 minus an index into several.
	streamOf []int32
	several  [][]int
	sources  []*lineBuilder // by stream, created once a batch
	known    map[*parse.Format]*lineBuilder
	traits   [][]trait // of each column's values; 0 is unknown

	line []byte
	rec  schema.Record
}

// lineBuilder is a format's columns in a batch.
type lineBuilder struct {
	format  *parse.Format
	writer  *parse.LineWriter
	columns []int // index of each field's column; -1: none
	fields  []parse.FieldValue
}

// looked marks a value whose traits are known.
const looked trait = 1 << 7

func (l *lineBuilders) reset() {
	l.located = false
	clear(l.sources)
}

// locate finds the columns that every line needs.
func (b *Batch) locate() error {
	l := &b.lines
	if l.located {
		return nil
	}
	l.logbody = b.find(schema.LogbodyField, schema.Text)
	l.stream, l.offset = b.find(schema.StreamField, schema.Text), b.find(schema.OffsetField, schema.Int)
	l.time, l.zone = b.find(schema.TimeField, schema.Time), b.find(zoneColumn, schema.Int)
	if l.stream < 0 || l.offset < 0 {
		return fmt.Errorf("%w: a row's stream was not read", ErrFile)
	}
	l.streamOf, l.several = l.streamOf[:0], l.several[:0]
	for _, value := range b.columns[l.stream].Dict {
		of := int32(-1)
		id, err := schema.ParseStreamID(string(value))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFile, err)
		}
		switch found := b.streams.byID[id]; len(found) {
		case 0:
			return fmt.Errorf("%w: it has rows of stream %s and does not describe it", ErrFile, id)
		case 1:
			of = int32(found[0])
		default:
			l.several = append(l.several, found)
			of = -int32(len(l.several))
		}
		l.streamOf = append(l.streamOf, of)
	}
	l.traits = resized(l.traits, len(b.columns))
	for i := range b.columns {
		l.traits[i] = resized(l.traits[i], len(b.columns[i].Dict))
		clear(l.traits[i])
	}
	l.sources = resized(l.sources, len(b.streams.streams))
	clear(l.sources)
	l.located = true
	return nil
}

// streamIndex is the index of row i's stream.
func (b *Batch) streamIndex(i int) (int, error) {
	if err := b.locate(); err != nil {
		return 0, err
	}
	code := b.columns[b.lines.stream].Codes[i]
	if code < 0 {
		return 0, fmt.Errorf("%w: a row without a stream", ErrFile)
	}
	of := b.lines.streamOf[code]
	if of >= 0 {
		return int(of), nil
	}
	// The stream's format changed: the ranges determine the row's format.
	found := b.lines.several[-of-1]
	offset := b.columns[b.lines.offset].Ints[i]
	for _, j := range found {
		if b.streams.streams[j].contains(offset) {
			return j, nil
		}
	}
	return found[0], nil
}

// Stream returns the stream of row i. The batch must have the columns stream and offset.
func (b *Batch) Stream(i int) (*StreamMeta, error) {
	j, err := b.streamIndex(i)
	if err != nil {
		return nil, err
	}
	return &b.streams.streams[j], nil
}

// Line appends row i's line without its newline, rebuilt or as stored. The batch must have all
// columns.
func (b *Batch) Line(dst []byte, i int) ([]byte, error) {
	if err := b.locate(); err != nil {
		return dst, err
	}
	if n := b.lines.logbody; n >= 0 && b.columns[n].Codes[i] >= 0 {
		return append(dst, b.columns[n].Dict[b.columns[n].Codes[i]]...), nil
	}
	stream, err := b.streamIndex(i)
	if err != nil {
		return dst, err
	}
	s, err := b.source(stream)
	if err != nil {
		return dst, err
	}
	if s.writer == nil {
		return dst, fmt.Errorf("%w: a row of stream %s lacks its line, which its format does not rebuild", ErrFile, b.streams.streams[stream].Stream.ID)
	}
	for field, column := range s.columns {
		b.field(&s.fields[field], column, i)
	}
	zone := int32(0)
	if n := b.lines.zone; n >= 0 {
		zone = int32(b.columns[n].Ints[i])
	}
	line, ok := s.writer.Append(dst, s.fields, zone)
	if !ok {
		return dst, fmt.Errorf("%w: a row of stream %s lacks its line, and it cannot be rebuilt from its fields", ErrFile, b.streams.streams[stream].Stream.ID)
	}
	return line, nil
}

// field sets f to the value of a column in row i.
func (b *Batch) field(f *parse.FieldValue, column, i int) {
	f.Null = true
	if column < 0 {
		return
	}
	c := &b.columns[column]
	if !isText(c.Kind) {
		f.Num, f.Null = c.Ints[i], c.Null(i)
		return
	}
	code := c.Codes[i]
	if code < 0 {
		return
	}
	f.Text, f.Null = c.Dict[code], false
	known := b.lines.traits[column]
	if known[code] == 0 {
		known[code] = traitsOf(f.Text) | looked
	}
	f.Plain = known[code]&plain != 0
}

// source returns the builder of a stream's lines.
func (b *Batch) source(stream int) (*lineBuilder, error) {
	l := &b.lines
	if s := l.sources[stream]; s != nil {
		return s, nil
	}
	f, err := b.streams.format(stream)
	if err != nil {
		return nil, err
	}
	s := l.known[f]
	if s == nil {
		s = &lineBuilder{format: f, columns: make([]int, len(f.Fields())), fields: make([]parse.FieldValue, len(f.Fields()))}
		s.writer, _ = f.NewLineWriter()
		if l.known == nil || len(l.known) >= maxTargets {
			l.known = map[*parse.Format]*lineBuilder{}
		}
		l.known[f] = s
	}
	shape := newShape(&b.streams.streams[stream].Stream, nil, f)
	for i := range s.columns {
		s.columns[i] = -1
	}
	if shape.time >= 0 {
		s.columns[shape.time] = l.time
	}
	for _, c := range shape.fields {
		s.columns[c.index] = b.find(c.name, c.kind)
		if s.columns[c.index] < 0 {
			s.columns[c.index] = b.find(kindName(c.name, c.kind), c.kind)
		}
	}
	l.sources[stream] = s
	return s, nil
}

// Entry sets e to row i's line with its stream, parsed by the stream's format. The record and its
// line belong to the batch and are valid until the next call of Entry or Read. The batch must have
// all columns.
func (b *Batch) Entry(i int, e *schema.Entry) error {
	line, err := b.Line(b.lines.line[:0], i)
	if err != nil {
		return err
	}
	b.lines.line = line
	stream, err := b.streamIndex(i)
	if err != nil {
		return err
	}
	f, err := b.streams.format(stream)
	if err != nil {
		return err
	}
	f.Parse(line, &b.lines.rec)
	e.Stream, e.Offset, e.Record = &b.streams.streams[stream].Stream, b.columns[b.lines.offset].Ints[i], &b.lines.rec
	return nil
}
