package parquet

import (
	"encoding/binary"
	"math"
)

// WriteInts writes an Int32 or Int64 column of the current group. valid has one bit for each row,
// set if it is not null; nil: no row is null.
func (w *Writer) WriteInts(column int, values []int64, valid []uint64) {
	c := w.chunk(w.group(), column)
	w.intBounds(c, values, valid)
	if !c.Bounded && w.columns[column].Optional {
		*c = Chunk{}
		w.writeNulls(w.group(), column)
		return
	}
	w.begin()
	valueBytes := w.columns[column].Type.bytes()
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for _, p := range c.pages {
		least, most = min(least, p.min), max(most, p.max) // a page without values has no bounds
	}
	c.Min, c.Max, c.exact = appendInt(nil, least, valueBytes), appendInt(nil, most, valueBytes), true
	t := &w.intTable
	encoding := encodingDelta
	if t.index(values, valid, len(values)/intsPerEntry) {
		encoding = encodingDictionary
		for _, v := range t.values {
			w.raw = appendInt(w.raw, v, valueBytes)
		}
		w.endPage(pageDictionary, encodingPlain, len(t.values))
	}
	width := widthOf(len(t.values))
	for row := 0; row < len(values); row += pageRows {
		end := min(len(values), row+pageRows)
		var bits []uint64
		if valid != nil {
			bits = valid[row/64:]
		}
		if w.columns[column].Optional {
			w.raw = appendLevels(w.raw, end-row, bits)
		}
		if encoding == encodingDictionary {
			w.raw = appendHybrid(append(w.raw, byte(width)), w.presentCodes(t.codes[row:end]), width)
		} else {
			w.raw = appendDelta(w.raw, w.presentInts(values[row:end], bits))
		}
		w.endPage(pageData, encoding, end-row)
	}
	w.finish(c, int64(len(values)))
}

func appendInt(dst []byte, v int64, valueBytes int) []byte {
	if valueBytes == 4 {
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(v))
}

// intBounds sets the bounds of the chunk's pages.
func (w *Writer) intBounds(c *Chunk, values []int64, valid []uint64) {
	c.ordered = true
	for row := 0; row < len(values); row += pageRows {
		p := page{min: math.MaxInt64, max: math.MinInt64}
		for i, v := range values[row:min(len(values), row+pageRows)] {
			if valid != nil && valid[(row+i)>>6]>>((row+i)&63)&1 == 0 {
				p.nulls++
				continue
			}
			p.min, p.max, p.bounded = min(p.min, v), max(p.max, v), true
		}
		if n := len(c.pages); n > 0 && p.bounded && c.pages[n-1].bounded {
			c.ordered = c.ordered && p.min >= c.pages[n-1].min && p.max >= c.pages[n-1].max
		}
		c.Nulls += p.nulls
		c.Bounded = c.Bounded || p.bounded
		c.pages = append(c.pages, p)
	}
}

// presentCodes returns the codes that are not null.
func (w *Writer) presentCodes(codes []int32) []int32 {
	w.codes = w.codes[:0]
	for _, code := range codes {
		if code >= 0 {
			w.codes = append(w.codes, code)
		}
	}
	return w.codes
}

func (w *Writer) presentInts(values []int64, valid []uint64) []int64 {
	if valid == nil {
		return values
	}
	w.ints = w.ints[:0]
	for i, v := range values {
		if valid[i>>6]>>(i&63)&1 == 1 {
			w.ints = append(w.ints, v)
		}
	}
	return w.ints
}

// intsPerEntry is the number of rows for each dictionary entry from which a dictionary of numbers
// is used; below it, delta encoding is smaller.
const intsPerEntry = 8

// intTable maps the distinct numbers of a column to dictionary indices.
type intTable struct {
	values []int64
	codes  []int32 // index for each row; -1 is null
	slots  []int32 // hash table: index + 1 of a value
}

func (t *intTable) bytes() int { return 8*cap(t.values) + 4*cap(t.codes) + 4*cap(t.slots) }

// index numbers the values in the order of their first row. It returns false if there are more than
// most distinct values.
func (t *intTable) index(values []int64, valid []uint64, most int) bool {
	size := 64
	for size < 2*most {
		size *= 2
	}
	if len(t.slots) < size {
		t.slots = make([]int32, size)
	}
	slots := t.slots[:size]
	clear(slots)
	t.values, t.codes = t.values[:0], t.codes[:0]
	last, lastCode := int64(0), int32(-1)
	probes := 8 * len(values) // limits the time for numbers chosen to collide; they get no dictionary
	for i, v := range values {
		if valid != nil && valid[i>>6]>>(i&63)&1 == 0 {
			t.codes = append(t.codes, -1)
			continue
		}
		if v == last && lastCode >= 0 {
			t.codes = append(t.codes, lastCode)
			continue
		}
		at := int(uint64(v)*0x9e3779b97f4a7c15>>32) & (size - 1)
		for slots[at] != 0 && t.values[slots[at]-1] != v {
			at = (at + 1) & (size - 1)
			probes--
		}
		if slots[at] == 0 {
			if len(t.values) >= max(most, 1) || probes < 0 {
				t.values = t.values[:0]
				return false
			}
			t.values = append(t.values, v)
			slots[at] = int32(len(t.values))
		}
		last, lastCode = v, slots[at]-1
		t.codes = append(t.codes, lastCode)
	}
	return true
}
