package columnar

import (
	"errors"

	"sluice/parse"
	"sluice/schema"
)

var errUnfinished = errors.New("columnar: not implemented yet")

// EncoderOptions change what an Encoder keeps.
type EncoderOptions struct {
	// AllLines stores every line, also those that can be rebuilt from their fields.
	AllLines bool
}

// Encoder turns the records of one stream into columns. It is made once a stream and
// format, and is not safe for concurrent use.
type Encoder struct{}

// NewEncoder prepares the columns of a stream whose lines format f reads.
func NewEncoder(s *schema.Stream, labels map[string]string, f *parse.Format, o EncoderOptions) (*Encoder, error) {
	return nil, errUnfinished
}

// Append adds the row of the record that stands at offset of the stream. The chunk copies
// what it keeps. A chunk holds rows of one encoder.
func (e *Encoder) Append(c *Chunk, offset int64, rec *schema.Record) {}

// Chunk is rows of one stream as columns, in memory. The zero Chunk is ready for use.
type Chunk struct{}

// Reset empties the chunk and keeps its memory.
func (c *Chunk) Reset() {}

// Len is the number of rows.
func (c *Chunk) Len() int { return 0 }

// Bytes is about how much memory the chunk's rows take.
func (c *Chunk) Bytes() int { return 0 }
