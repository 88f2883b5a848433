package parquet

import (
	"errors"
	"fmt"
)

// ErrFormat marks bytes that are no Parquet file, or one that this package does not read.
var ErrFormat = errors.New("parquet: not a readable file")

func badf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// Type is how a column's values are stored.
type Type int

// The physical types, numbered as the format has them.
const (
	Int32     Type = 1
	Int64     Type = 2
	ByteArray Type = 6
)

// bytes is the length of a number of the type; 0 for texts.
func (t Type) bytes() int {
	switch t {
	case Int32:
		return 4
	case Int64:
		return 8
	}
	return 0
}

// Logical is what a column's values mean.
type Logical int

const (
	// None: the physical type says all.
	None Logical = iota
	// String is UTF-8 text in a ByteArray.
	String
	// TimestampNanos is nanoseconds since 1970-01-01T00:00:00Z in an Int64.
	TimestampNanos
)

// Column is one column of a file.
type Column struct {
	Name     string
	Type     Type
	Logical  Logical
	Optional bool
}

// The numbers that the format gives to encodings, codecs and pages.
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
	// pageRows is how many rows a data page of every column has; the last of a row group
	// can have fewer. So a reader takes the same pages of each column.
	pageRows = 16384
)

// Dict is the values of a column, flat. Value i is Data[Ends[i-1]:Ends[i]].
type Dict struct {
	Data []byte
	Ends []uint32
}

// Len is the number of values.
func (d *Dict) Len() int { return len(d.Ends) }

// Value returns value i.
func (d *Dict) Value(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = d.Ends[i-1]
	}
	end := d.Ends[i]
	return d.Data[start:end:end]
}

// Add appends a value and returns its index.
func (d *Dict) Add(value []byte) int {
	d.Data = append(d.Data, value...)
	d.Ends = append(d.Ends, uint32(len(d.Data)))
	return len(d.Ends) - 1
}

// Reset empties it and keeps its memory.
func (d *Dict) Reset() { d.Data, d.Ends = d.Data[:0], d.Ends[:0] }

// Stats bound the values of a column chunk.
type Stats struct {
	Nulls int64
	// Bounded: Min and Max are there. They are values as they stand in a page: numbers
	// little-endian, texts as they are. A text's are bounds and need not occur.
	Bounded  bool
	Min, Max []byte
	exact    bool
}

// Chunk is one column of a row group.
type Chunk struct {
	Stats
	// CompressedBytes and UncompressedBytes are of all its pages with their headers.
	CompressedBytes, UncompressedBytes int64

	encodings  []int
	dataPages  int
	encoding   int // of its data pages
	codec      int
	values     int64
	dataAt     int64 // the first data page
	dictAt     int64 // 0: none
	pages      []page
	ordered    bool // bounds of pages do not fall
	indexAt    int64
	indexBytes int // of the offset index
	boundsAt   int64
	boundBytes int // of the column index
}

// page is a data page of a chunk: where it is, and what is in it.
type page struct {
	offset   int64
	bytes    int // with its header
	firstRow int64
	nulls    int64
	bounded  bool
	min, max int64
}

// start is where the chunk begins in the file.
func (c *Chunk) start() int64 {
	if c.dictAt > 0 {
		return c.dictAt
	}
	return c.dataAt
}

// Group is a row group.
type Group struct {
	Rows   int64
	Chunks []Chunk // one a column, in the order of the columns
}

// Sorting is a column by which the rows of each group are sorted, ascending, nulls first.
type Sorting struct{ Column int }
