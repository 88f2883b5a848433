package columnar

import (
	"context"
	"io"

	"sluice/schema"
)

// WriterOptions say what file a Writer makes.
type WriterOptions struct {
	// Segment is the name of the segment whose rows the file has.
	Segment string
	// Replaces names the files that this one is merged from.
	Replaces []string
	// RowGroupRows is how many rows a row group has; 0 is the default, 131,072.
	RowGroupRows int
}

// Writer writes one file. Memory is bounded by a row group. It is not safe for concurrent
// use.
type Writer struct{}

// NewWriter writes a file to w.
func NewWriter(w io.Writer, o WriterOptions) *Writer { return &Writer{} }

// Append adds the rows of c, which are those of range r of the stream. Chunks come in the
// order of the segment: the file's bytes follow from it, not from how rows are cut into
// chunks.
func (w *Writer) Append(s *schema.Stream, labels map[string]string, r schema.Range, errors int, c *Chunk) error {
	return errUnfinished
}

// AppendBatch adds rows of a batch, which was read with all columns, in the order given:
// for files that are merged. AddRanges says which ranges they are.
func (w *Writer) AppendBatch(b *Batch, rows []int32) error { return errUnfinished }

// AddRanges adds the ranges of a stream whose rows come through AppendBatch. It is called
// before the stream's first row.
func (w *Writer) AddRanges(s *StreamMeta) {}

// MemoryBytes is about how much memory the writer holds.
func (w *Writer) MemoryBytes() int { return 0 }

// Close writes the last row group and the footer, and returns the file's description. It
// does not close the io.Writer.
func (w *Writer) Close() (Meta, error) { return Meta{}, errUnfinished }

// FromSegment makes the file of a sealed segment by reading it.
func FromSegment(ctx context.Context, segment io.ReaderAt, size int64, w io.Writer, o WriterOptions, e EncoderOptions) (Meta, error) {
	return Meta{}, errUnfinished
}
