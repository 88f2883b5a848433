package parquet

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

const (
	// maxFooterBytes, maxColumns and maxGroupRows limit the memory that a file can make a reader
	// allocate.
	maxFooterBytes = 16 << 20
	maxColumns     = 4096
	maxGroupRows   = 1 << 20
	maxPageBytes   = 1 << 27 // decompressed
	maxChunkBytes  = 1 << 29 // decompressed

	// tailBytes is the number of bytes at the end of a file that are read first. They usually
	// contain the footer and the indexes.
	tailBytes = 64 << 10
)

// File is an open file. It is safe for concurrent use if its io.ReaderAt is.
type File struct {
	r       io.ReaderAt
	size    int64
	tail    []byte // the last bytes of the file
	columns []Column
	groups  []Group
	meta    map[string]string
}

// OpenFile reads the footer of a file of size bytes. An error wraps ErrFormat or the error of r. r
// must stay open while the File is used.
func OpenFile(r io.ReaderAt, size int64) (*File, error) {
	if size < int64(len(magic)*2+4) {
		return nil, badf("file of %d bytes is too short", size)
	}
	f := &File{r: r, size: size, tail: make([]byte, min(size, tailBytes))}
	if err := readAt(r, f.tail, size-int64(len(f.tail))); err != nil {
		return nil, err
	}
	at, n, err := footerOf(f.tail[len(f.tail)-8:], size)
	if err != nil {
		return nil, err
	}
	var buf []byte
	footer, err := f.bytes(at, int64(n), &buf)
	if err != nil {
		return nil, err
	}
	t := &thriftReader{b: footer}
	f.readFooter(t, at)
	if t.err != nil {
		return nil, t.err
	}
	return f, nil
}

// Columns returns the columns of the file. The caller must not change the slice.
func (f *File) Columns() []Column { return f.columns }

// Groups returns the row groups of the file. The caller must not change the slice.
func (f *File) Groups() []Group { return f.groups }

// Metadata returns a value of the key-value metadata, and whether the key exists.
func (f *File) Metadata(key string) (string, bool) {
	v, ok := f.meta[key]
	return v, ok
}

// bytes returns n bytes of the file from at: a part of f.tail, or read into buf, which grows as
// needed. The caller must not change them.
func (f *File) bytes(at, n int64, buf *[]byte) ([]byte, error) {
	if at < 0 || n < 0 || n > f.size || at > f.size-n {
		return nil, badf("metadata refers to bytes %d to %d of a file of %d bytes", at, at+n, f.size)
	}
	if from := at - (f.size - int64(len(f.tail))); from >= 0 {
		return f.tail[from : from+n : from+n], nil
	}
	*buf = sized(*buf, int(n))
	return *buf, readAt(f.r, *buf, at)
}

func readAt(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) || err == nil {
		return badf("file ends before byte %d", at+int64(len(p)))
	}
	return err
}

// readFooter reads the footer from t; footerAt is its position in the file.
func (f *File) readFooter(t *thriftReader, footerAt int64) {
	f.meta = map[string]string{}
	for id, kind := range t.fields(thriftStruct) {
		switch id {
		case 2:
			f.readSchema(t, kind)
		case 4:
			for kind := range t.list(kind) {
				f.groups = append(f.groups, f.readGroup(t, kind, footerAt))
			}
		case 5:
			for kind := range t.list(kind) {
				key, value := readPair(t, kind)
				f.meta[key] = value
			}
		default:
			t.skip(kind)
		}
	}
}

func readPair(t *thriftReader, kind byte) (key, value string) {
	for id, kind := range t.fields(kind) {
		switch id {
		case 1:
			key = string(t.bytes(kind))
		case 2:
			value = string(t.bytes(kind))
		default:
			t.skip(kind)
		}
	}
	return key, value
}

func (f *File) readSchema(t *thriftReader, kind byte) {
	first := true
	for kind := range t.list(kind) {
		c, children := readColumn(t, kind)
		switch {
		case first:
			first = false
		case children != 0:
			t.fail("columns within columns")
		case len(f.columns) == maxColumns:
			t.fail("too many columns")
		case c.Type != Int32 && c.Type != Int64 && c.Type != ByteArray:
			t.fail("a column of another physical type")
		case slices.ContainsFunc(f.columns, func(o Column) bool { return o.Name == c.Name }):
			t.fail("two columns of one name")
		default:
			f.columns = append(f.columns, c)
		}
	}
}

func readColumn(t *thriftReader, kind byte) (c Column, children int64) {
	for id, kind := range t.fields(kind) {
		switch id {
		case 1:
			c.Type = Type(t.int(kind))
		case 3:
			switch t.int(kind) {
			case 0:
			case 1:
				c.Optional = true
			default:
				t.fail("a repeated column")
			}
		case 4:
			c.Name = string(t.bytes(kind))
		case 5:
			children = t.int(kind)
		case 10:
			c.Logical = readLogical(t, kind)
		default:
			t.skip(kind)
		}
	}
	return c, children
}

// readLogical reads the union of logical types. Types that this package does not write are None.
func readLogical(t *thriftReader, kind byte) (l Logical) {
	for id, kind := range t.fields(kind) {
		switch id {
		case 1:
			l = String
		case 8:
			l = TimestampNanos
		}
		t.skip(kind)
	}
	return l
}

// readGroup reads a row group. It stops at the first error, so that memory is limited to a few
// times the length of the footer.
func (f *File) readGroup(t *thriftReader, kind byte, footerAt int64) (g Group) {
	for id, kind := range t.fields(kind) {
		switch id {
		case 1:
			for kind := range t.list(kind) {
				c := readChunk(t, kind)
				if err := f.checkChunk(&c, len(g.Chunks), footerAt); err != nil && t.err == nil {
					t.err = err
				}
				g.Chunks = append(g.Chunks, c)
			}
		case 3:
			g.Rows = t.int(kind)
		default:
			t.skip(kind)
		}
	}
	if t.err == nil && (g.Rows <= 0 || g.Rows > maxGroupRows || len(g.Chunks) != len(f.columns)) {
		t.err = badf("a row group of %d rows in %d of %d columns", g.Rows, len(g.Chunks), len(f.columns))
	}
	for i := range g.Chunks {
		if c := &g.Chunks[i]; t.err == nil && (c.values != g.Rows || c.Nulls > g.Rows) {
			t.err = badf("column %.100q has %d values in %d rows", f.columns[i].Name, c.values, g.Rows)
		}
	}
	return g
}

func readChunk(t *thriftReader, kind byte) (c Chunk) {
	for id, kind := range t.fields(kind) {
		switch id {
		case 3:
			readChunkMeta(t, kind, &c)
		case 4:
			c.indexAt = t.int(kind)
		case 5:
			c.indexBytes = int(t.int(kind))
		case 6:
			c.boundsAt = t.int(kind)
		case 7:
			c.boundBytes = int(t.int(kind))
		default:
			t.skip(kind)
		}
	}
	return c
}

func readChunkMeta(t *thriftReader, kind byte, c *Chunk) {
	for id, kind := range t.fields(kind) {
		switch id {
		case 4:
			c.codec = int(t.int(kind))
		case 5:
			c.values = t.int(kind)
		case 6:
			c.UncompressedBytes = t.int(kind)
		case 7:
			c.CompressedBytes = t.int(kind)
		case 9:
			c.dataAt = t.int(kind)
		case 11:
			c.dictAt = t.int(kind)
		case 12:
			readStats(t, kind, &c.Stats)
		default:
			t.skip(kind)
		}
	}
}

func readStats(t *thriftReader, kind byte, s *Stats) {
	bounds := 0
	for id, kind := range t.fields(kind) {
		switch id {
		case 3:
			s.Nulls = t.int(kind)
		case 5:
			s.Max = t.bytes(kind)
			bounds++
		case 6:
			s.Min = t.bytes(kind)
			bounds++
		default:
			t.skip(kind)
		}
	}
	s.Bounded = bounds == 2
}

// checkChunk returns an error if a chunk's metadata is inconsistent or outside the file.
func (f *File) checkChunk(c *Chunk, column int, footerAt int64) error {
	if column >= len(f.columns) {
		return badf("a row group of more than %d columns", len(f.columns))
	}
	name := f.columns[column].Name
	if c.codec != codecNone && c.codec != codecZstd {
		return badf("column %.100q is compressed with codec %d", name, c.codec)
	}
	start := c.start()
	if c.dataAt <= 0 || c.dictAt < 0 || c.dictAt > c.dataAt || c.CompressedBytes <= 0 ||
		c.CompressedBytes > footerAt || start > footerAt-c.CompressedBytes || c.dataAt >= start+c.CompressedBytes ||
		c.UncompressedBytes < 0 || c.UncompressedBytes > maxChunkBytes || c.Nulls < 0 {
		return badf("column %.100q has an impossible position or length", name)
	}
	valueBytes := f.columns[column].Type.bytes()
	if c.Bounded && valueBytes > 0 && (len(c.Min) != valueBytes || len(c.Max) != valueBytes) {
		c.Bounded = false
	}
	return nil
}

// Int returns the bound of a column of numbers as a number.
func Int(bound []byte) int64 {
	if len(bound) == 4 {
		return int64(int32(binary.LittleEndian.Uint32(bound)))
	}
	return int64(binary.LittleEndian.Uint64(bound))
}
