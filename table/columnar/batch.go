package columnar

import "sluice/schema"

// Batch is decoded columns of rows: of a row group, of a page of it, or of chunks in
// memory. Its memory is used again by the next Read into it. The zero Batch is ready for
// use. Several goroutines may read the columns of one Batch; Line and Entry are for one.
type Batch struct {
	// Rows is the number of rows.
	Rows    int
	columns []Column
}

// Column is one decoded column. Which of its members are set follows from Kind.
type Column struct {
	Name string
	Kind schema.Kind
	// Dict holds the values of a Text or Addr column, and Codes a row's index into it; -1 is
	// null. Dict may hold a value twice (a column without a dictionary in the file has one
	// entry a row), and values that no row of a page has. Values are read only.
	Dict  [][]byte
	Codes []int32
	// Ints are the values of an Int or Time column. Valid has a bit for each row, clear for
	// null; nil: no row is null. A null row's number is 0.
	Ints  []int64
	Valid []uint64
}

// Null reports whether the column is null in row i. It is for occasional use: a loop over
// rows looks at Codes or Valid itself.
func (c *Column) Null(i int) bool {
	if c.Kind == schema.Int || c.Kind == schema.Time {
		return c.Valid != nil && c.Valid[i>>6]>>(i&63)&1 == 0
	}
	return c.Codes[i] < 0
}

// Column returns the column called name; nil: the file has no such column, or it was not
// read: it is null in all rows.
func (b *Batch) Column(name string) *Column {
	for i := range b.columns {
		if b.columns[i].Name == name {
			return &b.columns[i]
		}
	}
	return nil
}

// Columns returns the columns that were read.
func (b *Batch) Columns() []Column { return b.columns }

// Line appends row i's line without its newline, rebuilt or as it was stored. The batch
// must have been read with all columns.
func (b *Batch) Line(dst []byte, i int) ([]byte, error) { return dst, errUnfinished }

// Entry makes e row i's line with its stream, parsed by the stream's format. The record is
// the batch's, valid until the next call of Entry, Line or Read. The batch must have been
// read with all columns.
func (b *Batch) Entry(i int, e *schema.Entry) error { return errUnfinished }

// Stream returns the stream of row i.
func (b *Batch) Stream(i int) *StreamMeta { return nil }

// FromChunks makes the batch one of the rows of chunks, in memory, sorted as the rows of a
// row group are.
func (b *Batch) FromChunks(chunks ...*Chunk) error { return errUnfinished }
