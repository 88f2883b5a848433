package parquet

import (
	"encoding/binary"
	"maps"
	"slices"
)

// createdBy names the writer in the form that the format prescribes; readers use it to work around
// known bugs of writers.
const createdBy = "sluice version 1.0.0 (build 1)"

// writeIndexes writes the column indexes of all chunks that have bounds, then the offset indexes.
func (w *Writer) writeIndexes() {
	for g := range w.groups {
		for i := range w.groups[g].Chunks {
			if c := &w.groups[g].Chunks[i]; w.columns[i].Type != ByteArray {
				c.boundsAt = w.offset
				w.write(columnIndex(c, w.columns[i].Type))
				c.boundBytes = int(w.offset - c.boundsAt)
			}
		}
	}
	for g := range w.groups {
		for i := range w.groups[g].Chunks {
			c := &w.groups[g].Chunks[i]
			c.indexAt = w.offset
			w.write(offsetIndex(c))
			c.indexBytes = int(w.offset - c.indexAt)
		}
	}
}

func columnIndex(c *Chunk, t Type) []byte {
	var h thriftWriter
	h.element()
	h.list(1, thriftTrue, len(c.pages))
	for _, p := range c.pages {
		if p.bounded {
			h.b = append(h.b, thriftFalse)
		} else {
			h.b = append(h.b, thriftTrue)
		}
	}
	bound := func(id int16, of func(p *page) int64) {
		h.list(id, thriftBinary, len(c.pages))
		for i := range c.pages {
			if p := &c.pages[i]; p.bounded {
				h.bytes(appendInt(nil, of(p), t.bytes()))
			} else {
				h.bytes(nil)
			}
		}
	}
	bound(2, func(p *page) int64 { return p.min })
	bound(3, func(p *page) int64 { return p.max })
	order := 0 // unordered
	if c.ordered {
		order = 1
	}
	h.i32(4, order)
	h.list(5, thriftI64, len(c.pages))
	for _, p := range c.pages {
		h.num(p.nulls)
	}
	h.end()
	return h.b
}

func offsetIndex(c *Chunk) []byte {
	var h thriftWriter
	h.element()
	h.list(1, thriftStruct, len(c.pages))
	for _, p := range c.pages {
		h.element()
		h.i64(1, p.offset)
		h.i32(2, p.bytes)
		h.i64(3, p.firstRow)
		h.end()
	}
	h.end()
	return h.b
}

func (w *Writer) footer(metadata map[string]string, sorting []Sorting) []byte {
	var h thriftWriter
	h.element()
	h.i32(1, 2) // version of the format
	h.list(2, thriftStruct, len(w.columns)+1)
	h.element()
	h.string(4, "schema")
	h.i32(5, len(w.columns))
	h.end()
	for _, c := range w.columns {
		writeSchema(&h, c)
	}
	h.i64(3, w.rows())
	h.list(4, thriftStruct, len(w.groups))
	for i := range w.groups {
		w.writeGroup(&h, i, sorting)
	}
	h.list(5, thriftStruct, len(metadata))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		h.element()
		h.string(1, key)
		h.string(2, metadata[key])
		h.end()
	}
	h.string(6, createdBy)
	h.list(7, thriftStruct, len(w.columns)) // TypeDefinedOrder for each column
	for range w.columns {
		h.element()
		h.begin(1)
		h.end()
		h.end()
	}
	h.end()
	return h.b
}

func writeSchema(h *thriftWriter, c Column) {
	h.element()
	h.i32(1, int(c.Type))
	repetition := 0
	if c.Optional {
		repetition = 1
	}
	h.i32(3, repetition)
	h.string(4, c.Name)
	switch c.Logical {
	case String:
		h.i32(6, 0) // UTF8, for readers that do not support logical types
		h.begin(10)
		h.begin(1)
		h.end()
		h.end()
	case TimestampNanos:
		h.begin(10)
		h.begin(8)
		h.boolean(1, true) // adjusted to UTC
		h.begin(2)
		h.begin(3) // nanoseconds
		h.end()
		h.end()
		h.end()
		h.end()
	}
	h.end()
}

func (w *Writer) writeGroup(h *thriftWriter, i int, sorting []Sorting) {
	g := &w.groups[i]
	h.element()
	compressed, uncompressed := int64(0), int64(0)
	h.list(1, thriftStruct, len(g.Chunks))
	for column := range g.Chunks {
		c := &g.Chunks[column]
		compressed, uncompressed = compressed+c.CompressedBytes, uncompressed+c.UncompressedBytes
		h.element()
		h.i64(2, 0)
		writeChunk(h, c, w.columns[column])
		h.i64(4, c.indexAt)
		h.i32(5, c.indexBytes)
		if c.boundBytes > 0 {
			h.i64(6, c.boundsAt)
			h.i32(7, c.boundBytes)
		}
		h.end()
	}
	h.i64(2, uncompressed)
	h.i64(3, g.Rows)
	if len(sorting) > 0 {
		h.list(4, thriftStruct, len(sorting))
		for _, s := range sorting {
			h.element()
			h.i32(1, s.Column)
			h.boolean(2, false)
			h.boolean(3, true)
			h.end()
		}
	}
	h.i64(5, g.Chunks[0].start())
	h.i64(6, compressed)
	h.field(7, thriftI16)
	h.num(int64(i))
	h.end()
}

func writeChunk(h *thriftWriter, c *Chunk, column Column) {
	h.begin(3)
	h.i32(1, int(column.Type))
	h.list(2, thriftI32, len(c.encodings))
	for _, e := range c.encodings {
		h.num(int64(e))
	}
	h.list(3, thriftBinary, 1)
	h.bytes([]byte(column.Name))
	h.i32(4, c.codec)
	h.i64(5, c.values)
	h.i64(6, c.UncompressedBytes)
	h.i64(7, c.CompressedBytes)
	h.i64(9, c.dataAt)
	if c.dictAt > 0 {
		h.i64(11, c.dictAt)
	}
	h.begin(12)
	h.i64(3, c.Nulls)
	if c.Bounded {
		h.binary(5, c.Max)
		h.binary(6, c.Min)
		h.boolean(7, c.exact)
		h.boolean(8, c.exact)
	}
	h.end()
	pages := 1
	if c.dictAt > 0 {
		pages = 2
	}
	h.list(13, thriftStruct, pages)
	counted := func(kind, encoding, n int) {
		h.element()
		h.i32(1, kind)
		h.i32(2, encoding)
		h.i32(3, n)
		h.end()
	}
	if c.dictAt > 0 {
		counted(pageDictionary, encodingPlain, 1)
	}
	counted(pageData, c.encoding, c.dataPages)
	h.end()
}

// footerOf returns position and length of the footer, read from the last eight bytes of a file.
func footerOf(end []byte, size int64) (at int64, bytes int, err error) {
	n := int64(binary.LittleEndian.Uint32(end))
	if string(end[4:]) != magic || n == 0 || n > maxFooterBytes || n > size-int64(len(magic)+8) {
		return 0, 0, badf("file does not end with a footer")
	}
	return size - 8 - n, int(n), nil
}
