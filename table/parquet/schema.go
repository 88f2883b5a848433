package parquet

import (
	"errors"
	"fmt"
)

// ErrFormat is wrapped by errors about bytes that are not a Parquet file, or one with features that
// this package does not support.
var ErrFormat = errors.New("parquet: not a readable file")

func badf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// Type is the physical type of a column.
type Type int

// The physical types, with the numbers of the format.
const (
	Int32     Type = 1
	Int64     Type = 2
	ByteArray Type = 6
)

// bytes returns the length of a number in bytes; 0 for ByteArray.
func (t Type) bytes() int {
	switch t {
	case Int32:
		return 4
	case Int64:
		return 8
	}
	return 0
}

// Logical is the logical type of a column.
type Logical int

const (
	// None is a column without a logical type.
	None Logical = iota
	// String is UTF-8 text in a ByteArray.
	String
	// TimestampNanos is nanoseconds since 1970-01-01T00:00:00Z in an Int64.
	TimestampNanos
)

// Column is a column of a file.
type Column struct {
	Name     string
	Type     Type
	Logical  Logical
	Optional bool
}

// The format's numbers for encodings, codecs and page types.
const (
	encodingPlain      = 0
	encodingRLE        = 3
	encodingDelta      = 5
	encodingDictionary = 8

	codecNone = 0
	codecZstd = 6

	pageData       = 0
	pageDictionary = 2
)

const (
	magic = "PAR1"
	// pageRows is the number of rows in each data page of each column; the last page of a row group
	// can have fewer. So the same rows are in the same page of every column.
	pageRows = 16384
)

// Dict is the distinct values of a column in one buffer. Value i is Data[Ends[i-1]:Ends[i]].
type Dict struct {
	Data []byte
	Ends []uint32
}

// Len returns the number of values.
func (d *Dict) Len() int { return len(d.Ends) }

// Value returns value i, which is part of Data.
func (d *Dict) Value(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = d.Ends[i-1]
	}
	end := d.Ends[i]
	return d.Data[start:end:end]
}

// Add appends a copy of value and returns its index.
func (d *Dict) Add(value []byte) int {
	d.Data = append(d.Data, value...)
	d.Ends = append(d.Ends, uint32(len(d.Data)))
	return len(d.Ends) - 1
}

// Reset removes all values and keeps the memory.
func (d *Dict) Reset() { d.Data, d.Ends = d.Data[:0], d.Ends[:0] }

// Stats are the bounds of the values in a column chunk.
type Stats struct {
	Nulls int64
	// Bounded reports that Min and Max are set. They are encoded as in a page: numbers in
	// little-endian order, texts as they are. Bounds of texts may be shortened, so they need not
	// occur as values.
	Bounded  bool
	Min, Max []byte
	exact    bool
}

// Chunk is one column of a row group.
type Chunk struct {
	Stats
	// CompressedBytes and UncompressedBytes are the size of all pages with their headers.
	CompressedBytes, UncompressedBytes int64

	encodings  []int
	dataPages  int
	encoding   int // of the data pages
	codec      int
	values     int64
	dataAt     int64 // position of the first data page
	dictAt     int64 // position of the dictionary page; 0: none
	pages      []page
	ordered    bool // bounds of pages are in ascending order
	indexAt    int64
	indexBytes int // length of the offset index
	boundsAt   int64
	boundBytes int // length of the column index
}

// page is the position and content of a data page.
type page struct {
	offset   int64
	bytes    int // including its header
	firstRow int64
	nulls    int64
	bounded  bool
	min, max int64
}

// start returns the position of the chunk's first byte in the file.
func (c *Chunk) start() int64 {
	if c.dictAt > 0 {
		return c.dictAt
	}
	return c.dataAt
}

// Group is a row group.
type Group struct {
	Rows   int64
	Chunks []Chunk // one for each column, in the order of Columns
}

// Sorting is a column by which the rows of each group are sorted: ascending, nulls first.
type Sorting struct{ Column int }
