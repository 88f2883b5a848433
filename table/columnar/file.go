package columnar

import (
	"errors"
	"io"

	"sluice/schema"
)

// ErrFile marks a file that is damaged or not one of ours.
var ErrFile = errors.New("columnar: not a readable file of columns")

// File is an open file. It is safe for concurrent use.
type File struct{}

// ColumnInfo is one column of a file.
type ColumnInfo struct {
	Name string
	Kind schema.Kind
}

// GroupInfo is one row group.
type GroupInfo struct {
	Rows int
	// MinTime and MaxTime are of the dated rows; Undated is the number of the others.
	MinTime, MaxTime int64
	Undated          int
	columns          []ColumnStats
}

// ColumnStats say what values a column of a row group has.
type ColumnStats struct {
	Name  string
	Nulls int
	// Bounded: Min and Max, or MinInt and MaxInt for numbers and times, bound the values.
	// The bounds of texts need not be values that occur.
	Bounded        bool
	Min, Max       []byte
	MinInt, MaxInt int64
	// CompressedBytes is what the column takes in the file.
	CompressedBytes int64
}

// Stats returns what is known of a column; ok is false if the file does not have it: all
// rows are null.
func (g *GroupInfo) Stats(name string) (s ColumnStats, ok bool) {
	for i := range g.columns {
		if g.columns[i].Name == name {
			return g.columns[i], true
		}
	}
	return ColumnStats{}, false
}

// OpenFile reads the footer of a file of so many bytes. An error wraps ErrFile, or is r's.
func OpenFile(r io.ReaderAt, size int64) (*File, error) { return nil, errUnfinished }

// Meta describes the file. It is shared: read only.
func (f *File) Meta() *Meta { return nil }

// Columns returns the file's columns in their order.
func (f *File) Columns() []ColumnInfo { return nil }

// Groups returns the file's row groups. They are shared: read only.
func (f *File) Groups() []GroupInfo { return nil }

// PageInfo is a run of rows of a row group that can be read without its neighbours.
type PageInfo struct {
	FirstRow, Rows int
	// MinTime and MaxTime bound the rows' times; a row without a time counts as time 0.
	MinTime, MaxTime int64
}

// Pages returns the pages of a row group, in their order.
func (f *File) Pages(group int) []PageInfo { return nil }

// Read decodes columns of a row group into b; nil columns are all. A column that the file
// does not have is left out. An error wraps ErrFile, or is the file's own.
func (f *File) Read(group int, columns []string, b *Batch) error { return errUnfinished }

// ReadRows is Read for the rows [from, to) of the group. It reads the pages that have
// them, and dictionaries.
func (f *File) ReadRows(group, from, to int, columns []string, b *Batch) error {
	return errUnfinished
}
