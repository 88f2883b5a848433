package parquet

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// Writer writes a file one row group at a time. It buffers one column of a group. After the first
// error it writes nothing more; Err and Close return that error. It is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	offset  int64
	err     error
	columns []Column
	groups  []Group
	zstd    *zstd.Encoder

	raw      []byte // concatenated pages of the current column
	packed   []byte // the same, compressed
	bodies   []body
	header   thriftWriter
	codes    []int32 // codes without nulls
	ints     []int64
	intTable intTable
}

// body is a page of the current column.
type body struct {
	kind, encoding, values int
	rawEnd, packedEnd      int // positions in raw and packed
}

// NewWriter starts a file. The caller must call Close.
func NewWriter(w io.Writer) (*Writer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	p := &Writer{w: w, zstd: enc}
	p.write([]byte(magic))
	return p, nil
}

// AddColumn adds a column and returns its number. In row groups written before, it is null, so a
// required column must be added before the first row group.
func (w *Writer) AddColumn(c Column) int {
	w.columns = append(w.columns, c)
	return len(w.columns) - 1
}

// BeginGroup starts a row group of so many rows. Each column is written at most once in it; a
// column that is not written is null.
func (w *Writer) BeginGroup(rows int) {
	w.groups = append(w.groups, Group{Rows: int64(rows)})
}

func (w *Writer) group() *Group { return &w.groups[len(w.groups)-1] }

// chunk returns the chunk of a column in the current group.
func (w *Writer) chunk(g *Group, column int) *Chunk {
	for len(g.Chunks) <= column {
		g.Chunks = append(g.Chunks, Chunk{})
	}
	return &g.Chunks[column]
}

// Close writes null chunks for columns that were added after a group, the indexes, and the footer
// with the metadata. order is the order of the columns in the file.
func (w *Writer) Close(order []int, metadata map[string]string, sorting []Sorting) error {
	for g := range w.groups {
		for column := range w.columns {
			if w.chunk(&w.groups[g], column).dataAt == 0 {
				w.writeNulls(&w.groups[g], column)
			}
		}
	}
	w.inOrder(order)
	place := make([]int, len(order)) // new index of each column
	for i, column := range order {
		place[column] = i
	}
	for i := range sorting {
		sorting[i].Column = place[sorting[i].Column]
	}
	w.writeIndexes()
	footer := w.footer(metadata, sorting)
	w.write(footer)
	w.write(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))))
	w.write([]byte(magic))
	return w.err
}

// inOrder sorts columns and chunks by order.
func (w *Writer) inOrder(order []int) {
	columns := make([]Column, len(order))
	for i, column := range order {
		columns[i] = w.columns[column]
	}
	w.columns = columns
	for g := range w.groups {
		chunks := make([]Chunk, len(order))
		for i, column := range order {
			chunks[i] = w.groups[g].Chunks[column]
		}
		w.groups[g].Chunks = chunks
	}
}

// Err returns the first error.
func (w *Writer) Err() error { return w.err }

// rows returns the number of rows written.
func (w *Writer) rows() (n int64) {
	for _, g := range w.groups {
		n += g.Rows
	}
	return n
}

// MemoryBytes returns the size of the writer's buffers.
func (w *Writer) MemoryBytes() int {
	n := cap(w.raw) + cap(w.packed) + 4*cap(w.codes) + 8*cap(w.ints) + w.intTable.bytes()
	if cap(w.packed) > 0 {
		n += zstdBytes
	}
	return n
}

// zstdBytes estimates the memory of an encoder after its first page: its hash table and its window.
const zstdBytes = 3 << 20

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.w.Write(b)
	w.offset += int64(n)
	w.err = err
}

// begin starts the pages of a column.
func (w *Writer) begin() { w.raw, w.packed, w.bodies = w.raw[:0], w.packed[:0], w.bodies[:0] }

// endPage ends a page whose content was appended to raw.
func (w *Writer) endPage(kind, encoding, values int) {
	start := 0
	if n := len(w.bodies); n > 0 {
		start = w.bodies[n-1].rawEnd
	}
	w.packed = w.zstd.EncodeAll(w.raw[start:], w.packed)
	w.bodies = append(w.bodies, body{kind, encoding, values, len(w.raw), len(w.packed)})
}

// finish writes the pages. If compression saves less than a sixteenth they are written
// uncompressed, because that is faster to read.
func (w *Writer) finish(c *Chunk, rows int64) {
	c.codec = codecZstd
	if len(w.packed) > len(w.raw)-len(w.raw)/16 {
		c.codec = codecNone
	}
	rawStart, packedStart := 0, 0
	firstRow, pages := int64(0), 0
	for _, b := range w.bodies {
		raw := w.raw[rawStart:b.rawEnd]
		stored := raw
		if c.codec == codecZstd {
			stored = w.packed[packedStart:b.packedEnd]
		}
		rawStart, packedStart = b.rawEnd, b.packedEnd
		at := w.offset
		w.writeHeader(b, raw, stored)
		header := w.offset - at
		w.write(stored)
		c.CompressedBytes += header + int64(len(stored))
		c.UncompressedBytes += header + int64(len(raw))
		if !slices.Contains(c.encodings, b.encoding) {
			c.encodings = append(c.encodings, b.encoding)
		}
		if b.kind == pageDictionary {
			c.dictAt = at
			continue
		}
		if c.dataAt == 0 {
			c.dataAt = at
		}
		p := &c.pages[pages]
		pages++
		p.offset, p.bytes, p.firstRow = at, int(header)+len(stored), firstRow
		c.encoding = b.encoding
		c.dataPages++
		firstRow += int64(b.values)
	}
	c.values = rows
	if !slices.Contains(c.encodings, encodingRLE) {
		c.encodings = append(c.encodings, encodingRLE)
	}
}

// writeHeader writes a page header.
func (w *Writer) writeHeader(b body, raw, stored []byte) {
	h := &w.header
	h.b, h.last = h.b[:0], 0
	h.element()
	h.i32(1, b.kind)
	h.i32(2, len(raw))
	h.i32(3, len(stored))
	h.i32(4, int(int32(crc32.ChecksumIEEE(stored))))
	if b.kind == pageDictionary {
		h.begin(7)
		h.i32(1, b.values)
		h.i32(2, encodingPlain)
	} else {
		h.begin(5)
		h.i32(1, b.values)
		h.i32(2, b.encoding)
		h.i32(3, encodingRLE)
		h.i32(4, encodingRLE)
	}
	h.end()
	h.end()
	w.write(h.b)
}

// appendLevels appends the definition levels of a page, which tell the rows that are not null.
// valid has one bit for each row of the page; nil: no row is null.
func appendLevels(dst []byte, rows int, valid []uint64) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	all, none := true, true
	for i := 0; i < rows && (all || none); i += 64 {
		mask := ^uint64(0)
		if rows-i < 64 {
			mask = 1<<(rows-i) - 1
		}
		w := mask
		if valid != nil {
			w &= valid[i>>6]
		}
		all, none = all && w == mask, none && w == 0
	}
	switch {
	case all, none:
		dst = binary.AppendUvarint(dst, uint64(rows)<<1)
		dst = append(dst, 0)
		if all {
			dst[len(dst)-1] = 1
		}
	default: // bit-packed levels are the bytes of the bitmap
		groups := (rows + 7) / 8
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		for i := range groups {
			dst = append(dst, byte(valid[i>>3]>>(i&7*8)))
		}
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// writeNulls writes a chunk of nulls.
func (w *Writer) writeNulls(g *Group, column int) {
	c := w.chunk(g, column)
	if !w.columns[column].Optional {
		w.err = fmt.Errorf("parquet: required column %s was not written", w.columns[column].Name)
		return
	}
	w.begin()
	nulls := make([]uint64, pageRows/64)
	for row := 0; row < int(g.Rows); row += pageRows {
		rows := min(pageRows, int(g.Rows)-row)
		w.raw = appendLevels(w.raw, rows, nulls)
		w.endPage(pageData, encodingPlain, rows)
		c.pages = append(c.pages, page{nulls: int64(rows)})
	}
	c.Nulls = g.Rows
	w.finish(c, g.Rows)
}
