package columnar

import (
	"strconv"
	"unicode/utf8"

	"sluice/parse"
	"sluice/schema"
)

// EncoderOptions are the settings of an Encoder.
type EncoderOptions struct {
	// AllLines stores every line, also those that can be rebuilt from their fields.
	AllLines bool
}

// Encoder converts the records of one stream to columns. Create one for each stream and format. It
// is not safe for concurrent use.
type Encoder struct {
	shape    *shape
	writer   *parse.LineWriter  // nil: every line is stored
	fields   []parse.FieldValue // of the current record, by the format's fields
	columns  []columnUse        // of the shape's fields
	chunks   int
	parseErr []byte
}

// columnUse counts how often the values of a column repeat within a chunk. If most do not, the next
// chunks do not search for them, as the writer finds equal values itself.
type columnUse struct {
	unique           bool
	values, distinct int // of the current chunk
}

const (
	// indexEvery is the interval, in chunks, at which all columns are indexed again.
	indexEvery = 16
	// minUseValues is the number of values needed to judge a column.
	minUseValues = 256
)

// begin prepares for the first row of a chunk.
func (e *Encoder) begin() {
	e.chunks++
	for i := range e.columns {
		u := &e.columns[i]
		if e.chunks%indexEvery == 0 {
			u.unique = false
		} else if !u.unique && u.values >= minUseValues {
			u.unique = 2*u.distinct > u.values
		}
		u.values, u.distinct = 0, 0
	}
}

// NewEncoder returns an encoder for a stream whose lines format f parses.
func NewEncoder(s *schema.Stream, labels map[string]string, f *parse.Format, o EncoderOptions) (*Encoder, error) {
	e := &Encoder{shape: newShape(s, labels, f), fields: make([]parse.FieldValue, len(f.Fields()))}
	e.columns = make([]columnUse, len(e.shape.fields))
	// A reader of the file has the format only as the stream's text, in JSON.
	if !o.AllLines && f.String() == s.Format && utf8.ValidString(s.Format) {
		e.writer, _ = f.NewLineWriter()
	}
	return e, nil
}

// Append adds the row of the record at offset of the stream. The chunk copies what it keeps. A
// chunk has rows of one encoder only.
func (e *Encoder) Append(c *Chunk, offset int64, rec *schema.Record) {
	h := e.shape
	if c.shape != h {
		c.take(h)
	}
	if c.Len() == 0 {
		e.begin()
	}
	c.offsets = append(c.offsets, offset)
	if rec.Dated {
		c.times = append(c.times, rec.Time)
		c.extend(rec.Time)
	} else {
		c.times = append(c.times, 0)
	}
	c.zones = append(c.zones, int64(rec.ZoneSeconds))
	c.dated = append(c.dated, rec.Dated)
	exact := e.appendFields(c, rec)
	if h.time >= 0 {
		f := &e.fields[h.time]
		f.Num, f.Null = rec.Time, !rec.Dated
	}
	if rec.Err.Set() {
		e.parseErr = appendParseError(e.parseErr[:0], &rec.Err)
		c.parseErrors.codes = append(c.parseErrors.codes, c.parseErrors.code(e.parseErr))
	} else {
		c.parseErrors.codes = append(c.parseErrors.codes, -1)
	}
	if exact && e.rebuilds(rec) {
		c.lines.codes = append(c.lines.codes, -1)
	} else {
		c.lines.codes = append(c.lines.codes, int32(c.lines.dict.Add(rec.Line)))
	}
}

// appendFields adds the record's values. It returns false if one of them is changed, because it is
// not UTF-8.
func (e *Encoder) appendFields(c *Chunk, rec *schema.Record) (exact bool) {
	exact = true
	texts, ints := c.texts, c.ints
	for i := range e.shape.fields {
		column := &e.shape.fields[i]
		f := &e.fields[column.index]
		if !isText(column.kind) {
			n := &ints[0]
			ints = ints[1:]
			v := &rec.Values[column.index]
			f.Num, f.Null = v.Num, v.State == schema.Null
			n.add(v.Num, !f.Null)
			continue
		}
		t := &texts[0]
		texts = texts[1:]
		f.Text = rec.Bytes(column.index)
		if f.Null = f.Text == nil; f.Null {
			t.codes = append(t.codes, -1)
			continue
		}
		var code int32
		if u := &e.columns[i]; u.unique {
			code = t.add(f.Text)
		} else {
			code = t.code(f.Text)
			u.values++
			u.distinct = t.dict.Len()
		}
		t.codes = append(t.codes, code)
		traits := t.traits[code]
		f.Plain = traits&plain != 0
		exact = exact && traits&valid != 0
	}
	return exact
}

// rebuilds reports whether the record's line can be rebuilt from its fields.
func (e *Encoder) rebuilds(rec *schema.Record) bool {
	return e.writer != nil && !rec.Err.Set() && e.writer.Writes(rec.Line, e.fields, rec.ZoneSeconds)
}

// appendParseError appends the text of a schema.ParseError.
func appendParseError(dst []byte, e *schema.ParseError) []byte {
	dst = strconv.AppendInt(append(dst, "byte "...), int64(e.Offset), 10)
	dst = append(append(dst, ": "...), e.Directive...)
	return append(append(dst, ": "...), e.Reason...)
}
