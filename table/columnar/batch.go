package columnar

import (
	"bytes"
	"iter"
	"slices"

	"sluice/schema"
	"sluice/table/parquet"
)

// Batch is decoded columns of rows: of a row group, of a page of it, or of chunks in memory. Its
// memory is reused by the next Read into it. The zero Batch is ready for use. Several goroutines
// may read the columns of one Batch; Line and Entry are not safe for concurrent use.
type Batch struct {
	// Rows is the number of rows.
	Rows    int
	columns []Column

	file     *File // source of the rows [from, to) of the group; nil: chunks
	group    int
	from, to int

	decoder *parquet.Decoder
	texts   []*parquet.Texts // memory of the columns, by their number
	ints    []*parquet.Ints
	streams *streamSources
	lines   lineBuilders
	merge   mergeState
}

// Column is one decoded column. Kind determines which of its members are set.
type Column struct {
	Name string
	Kind schema.Kind
	// Dict has the values of a Text or Addr column, and Codes a row's index into it; -1 is null.
	// Dict may have a value twice (a column without a dictionary in the file has one entry a row),
	// and values that no row of a page has. Values must not be changed.
	Dict  [][]byte
	Codes []int32
	// Ints are the values of an Int or Time column. Valid has a bit for each row, clear for
	// null; nil: no row is null. A null row's number is 0.
	Ints  []int64
	Valid []uint64

	// stored is the memory with the values of Dict one after another, each after a fixed number of
	// bytes; nil: there is no such memory.
	stored []byte
	prefix int
}

// Null reports whether the column is null in row i. Loops over rows should use Codes or Valid
// directly.
func (c *Column) Null(i int) bool {
	if c.Kind == schema.Int || c.Kind == schema.Time {
		return c.Valid != nil && c.Valid[i>>6]>>(i&63)&1 == 0
	}
	return c.Codes[i] < 0
}

// Column returns the column called name; nil if the file does not have it, or it was not read: it
// is null in all rows.
func (b *Batch) Column(name string) *Column {
	for i := range b.columns {
		if b.columns[i].Name == name {
			return &b.columns[i]
		}
	}
	return nil
}

// Need reads columns of the batch's rows that were not read yet; missing columns are left out.
// Columns that Column returned before are invalid; their values remain valid.
func (b *Batch) Need(names ...string) error {
	return b.need(func(name string) bool { return slices.Contains(names, name) })
}

// needAll is Need for all columns.
func (b *Batch) needAll() error { return b.need(func(string) bool { return true }) }

func (b *Batch) need(wanted func(name string) bool) error {
	if b.file == nil {
		return nil
	}
	n := len(b.columns)
	for i, c := range b.file.columns {
		if wanted(c.name) && b.Column(c.name) == nil {
			if err := b.read(i); err != nil {
				return err
			}
		}
	}
	if len(b.columns) > n {
		b.lines.reset()
		b.merge.reset()
	}
	return nil
}

// Containing yields the indexes of the values of Dict that contain sub. If there are few, it is
// much faster than a test of each value.
func (c *Column) Containing(sub []byte) iter.Seq[int] {
	return func(yield func(int) bool) {
		if c.stored == nil {
			for i, v := range c.Dict {
				if bytes.Contains(v, sub) && !yield(i) {
					return
				}
			}
			return
		}
		at := bytes.Index(c.stored, sub)
		end := 0
		for i, v := range c.Dict {
			if at < 0 {
				return
			}
			if end += c.prefix + len(v); at >= end {
				continue
			}
			if bytes.Contains(v, sub) && !yield(i) { // it may be in the bytes between values
				return
			}
			next := bytes.Index(c.stored[end:], sub)
			if at = end + next; next < 0 {
				return
			}
		}
	}
}

// Columns returns the columns that were read.
func (b *Batch) Columns() []Column { return b.columns }

// reset empties the batch for rows of these streams.
func (b *Batch) reset(streams *streamSources) {
	b.Rows, b.columns, b.streams, b.file = 0, b.columns[:0], streams, nil
	b.lines.reset()
	b.merge.reset()
}

// add adds a column and returns it with its memory.
func (b *Batch) add(name string, k schema.Kind) (*Column, *parquet.Texts, *parquet.Ints) {
	n := len(b.columns)
	b.columns = append(b.columns, Column{Name: name, Kind: k})
	for len(b.texts) <= n {
		b.texts, b.ints = append(b.texts, new(parquet.Texts)), append(b.ints, new(parquet.Ints))
	}
	return &b.columns[n], b.texts[n], b.ints[n]
}

// find returns the number of a column whose values are texts, or numbers; -1 for none.
func (b *Batch) find(name string, k schema.Kind) int {
	for i := range b.columns {
		if b.columns[i].Name == name && sameColumn(b.columns[i].Kind, k) {
			return i
		}
	}
	return -1
}
