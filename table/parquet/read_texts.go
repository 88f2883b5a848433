package parquet

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Texts is a decoded ByteArray column. It can be reused for the next column.
type Texts struct {
	// Values are the dictionary, or one value for each row. They point into memory of Texts and are
	// valid until its next use.
	Values [][]byte
	// Codes are the index into Values for each row; -1 is null.
	Codes []int32

	dict  []byte   // content of the dictionary page
	only  bool     // all Values are in dict
	of    *Chunk   // the chunk whose dictionary the first Values are; nil: none
	count int      // number of values in that dictionary
	plain [][]byte // content of pages without a dictionary
}

// PlainPrefix is the number of bytes before each value in Dictionary.
const PlainPrefix = 4

// Dictionary returns the memory that contains all Values consecutively, each after PlainPrefix
// bytes, or nil if they are not consecutive. It is valid as long as Values.
func (t *Texts) Dictionary() []byte {
	if !t.only {
		return nil
	}
	return t.dict
}

// Texts decodes the rows [from, to) of a ByteArray column into t, which is overwritten.
func (d *Decoder) Texts(f *File, group, column, from, to int, t *Texts) error {
	g := &f.groups[group]
	c := &g.Chunks[column]
	dictionary, s, err := d.pagesOf(f, g, c, from, to)
	if err != nil {
		return err
	}
	t.Codes = t.Codes[:0]
	if t.of == nil || t.of != c { // calls usually read consecutive pages: decode the dictionary once
		t.Values, t.of = t.Values[:0], nil
		if len(dictionary) > 0 {
			if err := d.textDictionary(dictionary, c, t); err != nil {
				return err
			}
			t.of, t.count = c, len(t.Values)
		}
	}
	if t.of != nil {
		t.Values = t.Values[:t.count]
	}
	dictValues, plainPages := len(t.Values), 0
	t.only = t.of != nil
	for row := s.firstRow; row < to; {
		buf := &d.page
		if c.dictAt == 0 {
			for plainPages >= len(t.plain) {
				t.plain = append(t.plain, nil)
			}
			buf = &t.plain[plainPages]
		}
		h, values, present, valid, err := d.next(&s, c, f.columns[column].Optional, buf)
		if err != nil {
			return err
		}
		if row += h.values; row > int(g.Rows) {
			return badf("more rows in pages than in the row group")
		}
		start := len(t.Codes)
		t.Codes = extended(t.Codes, start+h.values)
		codes := t.Codes[start:]
		switch h.encoding {
		case encodingDictionary:
			if err := dictionaryCodes(codes[:present], values, dictValues); err != nil {
				return err
			}
		case encodingPlain:
			switch {
			case c.dictAt > 0: // pages with and without dictionary in one chunk: the Writer does not make such
				values = bytes.Clone(values)
			case c.codec == codecNone: // values must not point into a buffer that is reused
				*buf = append((*buf)[:0], values...)
				values = *buf
			}
			plainPages++
			t.only = false
			first := len(t.Values)
			if t.Values, err = plainTexts(t.Values, values, present); err != nil {
				return err
			}
			for i := range present {
				codes[i] = int32(first + i)
			}
		default:
			return badf("a page of texts in encoding %d", h.encoding)
		}
		if valid != nil {
			spread(codes, present, valid, -1)
		}
	}
	t.Codes = t.Codes[from-s.firstRow : to-s.firstRow]
	return nil
}

// textDictionary decodes a dictionary page.
func (d *Decoder) textDictionary(b []byte, c *Chunk, t *Texts) error {
	h, rest, err := readHeader(b)
	if err != nil {
		return err
	}
	if h.kind != pageDictionary {
		return badf("a page of kind %d for a dictionary", h.kind)
	}
	page, err := d.unpacked(h, rest, c.codec, &t.dict)
	if err != nil {
		return err
	}
	if c.codec == codecNone {
		page = append(t.dict[:0], page...)
	}
	t.dict = page
	t.Values, err = plainTexts(t.Values, page, h.values)
	return err
}

// plainTexts appends the n values in page.
func plainTexts(dst [][]byte, page []byte, n int) ([][]byte, error) {
	if n > len(page)/4 {
		return dst, badf("%d texts in %d bytes", n, len(page))
	}
	dst = slices.Grow(dst, min(n, maxGroupRows)) // growing in steps took longer than reading
	for range n {
		if len(page) < 4 {
			return dst, badf("a truncated text")
		}
		size := uint64(binary.LittleEndian.Uint32(page))
		if size > uint64(len(page)-4) {
			return dst, badf("a truncated text")
		}
		end := 4 + int(size)
		dst = append(dst, page[4:end:end])
		page = page[end:]
	}
	return dst, nil
}

// dictionaryCodes decodes indices into a dictionary of the given number of values.
func dictionaryCodes(codes []int32, page []byte, values int) error {
	if len(codes) == 0 {
		return nil
	}
	if len(page) == 0 {
		return badf("a page without indices")
	}
	if err := decodeHybrid(codes, page[1:], uint(page[0])); err != nil {
		return err
	}
	if width := page[0]; width < 31 && 1<<width <= values {
		return nil // a bit width of 0: all indices are 0
	}
	most := uint32(0)
	for _, code := range codes {
		most = max(most, uint32(code))
	}
	if uint64(most) >= uint64(values) {
		return badf("index %d into a dictionary of %d", most, values)
	}
	return nil
}

// spread moves the n values at the start of values to the rows that are not null, and sets the
// other rows to null.
func spread[T any](values []T, n int, valid []uint64, null T) {
	for i := len(values); i > 0; {
		word := valid[(i-1)>>6]
		if i&63 == 0 && word == ^uint64(0) { // 64 rows without a null
			copy(values[i-64:i], values[n-64:n])
			i, n = i-64, n-64
			continue
		}
		for first := (i - 1) &^ 63; i > first; i-- {
			if word>>((i-1)&63)&1 == 1 {
				n--
				values[i-1] = values[n]
			} else {
				values[i-1] = null
			}
		}
	}
}
