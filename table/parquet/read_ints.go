package parquet

import "encoding/binary"

// Ints is a decoded column of numbers. It can be reused for the next column.
type Ints struct {
	Values []int64 // one for each row, 0 for null
	// Valid has one bit for each row, set if it is not null; nil if no row is null.
	Valid []uint64

	bits []uint64
}

// Ints decodes the rows [from, to) of a column of numbers into n, which is overwritten.
func (d *Decoder) Ints(f *File, group, column, from, to int, n *Ints) error {
	g := &f.groups[group]
	c := &g.Chunks[column]
	dictionary, s, err := d.pagesOf(f, g, c, from, to)
	if err != nil {
		return err
	}
	n.Values, n.Valid = n.Values[:0], nil
	d.ints = d.ints[:0]
	t := f.columns[column].Type
	if len(dictionary) > 0 {
		if err := d.intDictionary(dictionary, c, t); err != nil {
			return err
		}
	}
	nulls := false
	n.bits = n.bits[:0]
	for row := s.firstRow; row < to; {
		h, values, present, valid, err := d.next(&s, c, f.columns[column].Optional, &d.page)
		if err != nil {
			return err
		}
		if row += h.values; row > int(g.Rows) {
			return badf("more rows in pages than in the row group")
		}
		start := len(n.Values)
		n.Values = extended(n.Values, start+h.values)
		page := n.Values[start:]
		if err := d.intPage(page[:present], values, h.encoding, t); err != nil {
			return err
		}
		nulls = nulls || valid != nil
		n.bits = extended(n.bits, (start+h.values+63)/64)
		setBits(n.bits, start, h.values, valid)
		if valid != nil {
			spread(page, present, valid, 0)
		}
	}
	n.Values = n.Values[from-s.firstRow : to-s.firstRow]
	if nulls {
		shiftBits(n.bits, from-s.firstRow)
		n.Valid = n.bits[:(to-from+63)/64]
	}
	return nil
}

func (d *Decoder) intDictionary(b []byte, c *Chunk, t Type) error {
	h, rest, err := readHeader(b)
	if err != nil {
		return err
	}
	if h.kind != pageDictionary {
		return badf("a page of kind %d for a dictionary", h.kind)
	}
	page, err := d.unpacked(h, rest, c.codec, &d.page)
	if err != nil {
		return err
	}
	if h.values > len(page)/t.bytes() {
		return badf("%d numbers in %d bytes", h.values, len(page))
	}
	d.ints = sized(d.ints, h.values)
	plainInts(d.ints, page, t)
	return nil
}

func plainInts(dst []int64, page []byte, t Type) {
	if t == Int32 {
		for i := range dst {
			dst[i] = int64(int32(binary.LittleEndian.Uint32(page[4*i:])))
		}
		return
	}
	for i := range dst {
		dst[i] = int64(binary.LittleEndian.Uint64(page[8*i:]))
	}
}

// intPage decodes the numbers of a page.
func (d *Decoder) intPage(dst []int64, page []byte, encoding int, t Type) error {
	switch encoding {
	case encodingDictionary:
		d.codes = sized(d.codes, len(dst))
		if err := dictionaryCodes(d.codes, page, len(d.ints)); err != nil {
			return err
		}
		for i, code := range d.codes {
			dst[i] = d.ints[code]
		}
	case encodingDelta:
		return decodeDelta(dst, page)
	case encodingPlain:
		if len(dst) > len(page)/t.bytes() {
			return badf("%d numbers in %d bytes", len(dst), len(page))
		}
		plainInts(dst, page, t)
	default:
		return badf("a page of numbers in encoding %d", encoding)
	}
	return nil
}

// setBits copies the n bits of a page to bits, beginning at bit start. nil is n ones.
func setBits(bits []uint64, start, n int, valid []uint64) {
	for i := 0; i < n; i += 64 {
		w := ^uint64(0)
		if valid != nil {
			w = valid[i>>6]
		}
		count := min(64, n-i)
		if count < 64 {
			w &= 1<<count - 1
		}
		at, shift := (start+i)>>6, uint(start+i)&63
		if shift == 0 {
			bits[at] = w
			continue
		}
		bits[at] = bits[at]&(1<<shift-1) | w<<shift
		if shift+uint(count) > 64 {
			bits[at+1] = w >> (64 - shift)
		}
	}
}

// shiftBits removes the first n bits.
func shiftBits(bits []uint64, n int) {
	words, shift := n>>6, uint(n)&63
	for i := range len(bits) - words {
		w := bits[i+words] >> shift
		if shift > 0 && i+words+1 < len(bits) {
			w |= bits[i+words+1] << (64 - shift)
		}
		bits[i] = w
	}
}
