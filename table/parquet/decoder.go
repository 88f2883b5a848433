package parquet

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// Decoder decodes columns of files. The next call reuses its buffers, so a Decoder is not safe for
// concurrent use: make one for each goroutine.
type Decoder struct {
	zstd  *zstd.Decoder
	raw   []byte // compressed data pages
	dict  []byte // compressed dictionary page
	page  []byte // decompressed page
	codes []int32
	ints  []int64 // dictionary of a column of numbers
	valid []uint64
}

// NewDecoder returns a decoder. The caller must call Close.
func NewDecoder() (*Decoder, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxPageBytes), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	return &Decoder{zstd: z}, nil
}

// Close releases the decoder's memory.
func (d *Decoder) Close() { d.zstd.Close() }

// header is a page header.
type header struct {
	kind, raw, stored int
	crc               uint32
	hasCRC            bool
	values, encoding  int
}

// readHeader reads the header at the start of b, and returns the bytes after it.
func readHeader(b []byte) (h header, rest []byte, err error) {
	t := &thriftReader{b: b}
	h.kind = -1
	for id, kind := range t.fields(thriftStruct) {
		switch id {
		case 1:
			h.kind = int(t.int(kind))
		case 2:
			h.raw = int(t.int(kind))
		case 3:
			h.stored = int(t.int(kind))
		case 4:
			h.crc, h.hasCRC = uint32(t.int(kind)), true
		case 5, 7:
			for id, kind := range t.fields(kind) {
				switch id {
				case 1:
					h.values = int(t.int(kind))
				case 2:
					h.encoding = int(t.int(kind))
				default:
					t.skip(kind)
				}
			}
		default:
			t.skip(kind)
		}
	}
	rest = b[t.pos:]
	switch {
	case t.err != nil:
		return h, nil, t.err
	case h.kind != pageData && h.kind != pageDictionary:
		return h, nil, badf("a page of kind %d", h.kind)
	case h.stored < 0 || h.stored > len(rest) || h.raw < 0 || h.raw > maxPageBytes || h.values < 0:
		return h, nil, badf("a page of %d bytes stored in %d, of which %d exist", h.raw, h.stored, len(rest))
	}
	return h, rest, nil
}

// unpacked returns the content of the page with header h in stored: stored itself if the page is
// not compressed, else buf, which grows as needed.
func (d *Decoder) unpacked(h header, stored []byte, codec int, buf *[]byte) ([]byte, error) {
	stored = stored[:h.stored]
	if h.hasCRC && crc32.ChecksumIEEE(stored) != h.crc {
		return nil, badf("a page's checksum is wrong")
	}
	if codec == codecNone {
		if h.raw != h.stored {
			return nil, badf("an uncompressed page of %d bytes stored in %d", h.raw, h.stored)
		}
		return stored, nil
	}
	*buf = sized(*buf, h.raw)
	page, err := d.zstd.DecodeAll(stored, (*buf)[:0:h.raw])
	if err != nil || len(page) != h.raw {
		return nil, badf("a page cannot be decompressed to its %d bytes", h.raw)
	}
	return page, nil
}

// span is consecutive data pages of a chunk and the rows that they contain.
type span struct {
	bytes    []byte // from the first page to the end
	firstRow int
}

// pagesOf reads the dictionary page and the data pages of a chunk that contain the rows [from, to).
func (d *Decoder) pagesOf(f *File, g *Group, c *Chunk, from, to int) (dictionary []byte, s span, err error) {
	if from < 0 || to > int(g.Rows) || from >= to {
		return nil, s, badf("no rows %d to %d in a row group of %d", from, to, g.Rows)
	}
	if from == 0 && to == int(g.Rows) || c.indexBytes == 0 {
		b, err := f.bytes(c.start(), c.CompressedBytes, &d.raw)
		if err != nil {
			return nil, s, err
		}
		dataAt := c.dataAt - c.start()
		return b[:dataAt], span{b[dataAt:], 0}, nil
	}
	pages, err := f.offsetIndex(g, c)
	if err != nil {
		return nil, s, err
	}
	first, last := 0, len(pages)-1
	for first < last && pages[first+1].firstRow <= int64(from) {
		first++
	}
	for last > first && pages[last].firstRow >= int64(to) {
		last--
	}
	if c.dictAt > 0 {
		if dictionary, err = f.bytes(c.start(), c.dataAt-c.start(), &d.dict); err != nil {
			return nil, s, err
		}
	}
	at, end := pages[first].offset, pages[last].offset+int64(pages[last].bytes)
	b, err := f.bytes(at, end-at, &d.raw)
	return dictionary, span{b, int(pages[first].firstRow)}, err
}

// offsetIndex reads the positions of a chunk's pages.
func (f *File) offsetIndex(g *Group, c *Chunk) ([]page, error) {
	var buf []byte
	b, err := f.bytes(c.indexAt, int64(c.indexBytes), &buf)
	if err != nil {
		return nil, err
	}
	t := &thriftReader{b: b}
	var pages []page
	for id, kind := range t.fields(thriftStruct) {
		if id != 1 {
			t.skip(kind)
			continue
		}
		for kind := range t.list(kind) {
			p := readLocation(t, kind)
			start, end := c.dataAt, c.start()+c.CompressedBytes
			row := int64(-1)
			if n := len(pages); n > 0 {
				start, row = pages[n-1].offset+int64(pages[n-1].bytes), pages[n-1].firstRow
			}
			if p.offset != start || p.bytes <= 0 || int64(p.bytes) > end-start || p.firstRow <= row || p.firstRow >= g.Rows {
				t.fail("an impossible page")
			}
			pages = append(pages, p)
		}
	}
	if t.err == nil && (len(pages) == 0 || pages[0].firstRow != 0) {
		t.fail("no pages")
	}
	return pages, t.err
}

func readLocation(t *thriftReader, kind byte) (p page) {
	for id, kind := range t.fields(kind) {
		switch id {
		case 1:
			p.offset = t.int(kind)
		case 2:
			p.bytes = int(t.int(kind))
		case 3:
			p.firstRow = t.int(kind)
		default:
			t.skip(kind)
		}
	}
	return p
}

// next decompresses the next data page of a span and removes its levels. present is the number of
// its rows that are not null; valid is nil if no row is null, else d.valid.
func (d *Decoder) next(s *span, c *Chunk, optional bool, buf *[]byte) (h header, values []byte, present int, valid []uint64, err error) {
	h, rest, err := readHeader(s.bytes)
	if err != nil {
		return h, nil, 0, nil, err
	}
	if h.kind != pageData || h.values == 0 || h.values > maxGroupRows {
		return h, nil, 0, nil, badf("a page of kind %d with %d rows", h.kind, h.values)
	}
	if values, err = d.unpacked(h, rest, c.codec, buf); err != nil {
		return h, nil, 0, nil, err
	}
	s.bytes = rest[h.stored:]
	if !optional {
		return h, values, h.values, nil, nil
	}
	if len(values) < 4 || uint64(binary.LittleEndian.Uint32(values)) > uint64(len(values)-4) {
		return h, nil, 0, nil, badf("a page without levels")
	}
	n := int(binary.LittleEndian.Uint32(values))
	present, valid, err = d.levels(values[4:4+n], h.values)
	return h, values[4+n:], present, valid, err
}

// levels decodes the definition levels: which rows are not null.
func (d *Decoder) levels(src []byte, rows int) (present int, valid []uint64, err error) {
	if head, size := binary.Uvarint(src); size > 0 && head&1 == 0 && head>>1 >= uint64(rows) && len(src) > size && src[size] == 1 {
		return rows, nil, nil
	}
	d.valid = sized(d.valid, (rows+63)/64)
	clear(d.valid)
	if err := d.levelBits(src, rows); err != nil {
		return 0, nil, err
	}
	for _, w := range d.valid {
		present += bits.OnesCount64(w)
	}
	return present, d.valid, nil
}

// levelBits decodes levels into d.valid, which must be all zero.
func (d *Decoder) levelBits(src []byte, rows int) error {
	groups := (rows + 7) / 8
	if head, size := binary.Uvarint(src); size > 0 && head == uint64(groups)<<1|1 && len(src) >= size+groups {
		for i, b := range src[size : size+groups] { // as the Writer writes them: one run for the whole page
			d.valid[i>>3] |= uint64(b) << (i & 7 * 8)
		}
		if rest := rows & 63; rest > 0 {
			d.valid[len(d.valid)-1] &= 1<<rest - 1
		}
		return nil
	}
	d.codes = sized(d.codes, rows)
	if err := decodeHybrid(d.codes, src, 1); err != nil {
		return err
	}
	for i, level := range d.codes {
		d.valid[i>>6] |= uint64(level&1) << (i & 63)
	}
	return nil
}

// extended returns b with length n, at least its own; the caller must set the new ones.
func extended[T any](b []T, n int) []T {
	return slices.Grow(b, max(0, n-len(b)))[:n]
}

// sized returns a slice of length n with arbitrary content; it reuses b's array if that is large
// enough.
func sized[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}
