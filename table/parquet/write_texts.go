package parquet

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// WriteTexts writes a ByteArray column of the current group: for each row its index into dict, -1
// for null. The column is dictionary-encoded if that is smaller.
func (w *Writer) WriteTexts(column int, dict *Dict, codes []int32) {
	c := w.chunk(w.group(), column)
	if dict.Len() == 0 {
		w.writeNulls(w.group(), column)
		return
	}
	w.begin()
	valid, nulls := w.validCodes(codes)
	width := widthOf(dict.Len())
	plain := !dictionaryPays(dict, codes, len(codes)-nulls, width)
	if !plain {
		for i := range dict.Len() {
			w.raw = appendPlain(w.raw, dict.Value(i))
		}
		w.endPage(pageDictionary, encodingPlain, dict.Len())
	}
	for row := 0; row < len(codes); row += pageRows {
		rows := codes[row:min(len(codes), row+pageRows)]
		p := page{}
		if w.columns[column].Optional {
			var bits []uint64
			if valid != nil {
				bits = valid[row/64:]
			}
			w.raw = appendLevels(w.raw, len(rows), bits)
		}
		present := rows
		if valid != nil {
			present = w.codes[:0]
			for _, code := range rows {
				if code >= 0 {
					present = append(present, code)
				}
			}
			w.codes = present
			p.nulls = int64(len(rows) - len(present))
		}
		encoding := encodingDictionary
		if plain {
			encoding = encodingPlain
			for _, code := range present {
				w.raw = appendPlain(w.raw, dict.Value(int(code)))
			}
		} else {
			w.raw = appendHybrid(append(w.raw, byte(width)), present, width)
		}
		w.endPage(pageData, encoding, len(rows))
		c.pages = append(c.pages, p)
	}
	c.Nulls = int64(nulls)
	if w.columns[column].Logical == String {
		textStats(c, dict)
	}
	w.finish(c, int64(len(codes)))
}

func appendPlain(dst, value []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(value))), value...)
}

// validCodes returns a bitmap of the rows that are not null, or nil if no row is null, and the
// number of nulls.
func (w *Writer) validCodes(codes []int32) (valid []uint64, nulls int) {
	for _, code := range codes {
		nulls += int(uint32(code) >> 31)
	}
	if nulls == 0 {
		return nil, 0
	}
	valid = make([]uint64, (len(codes)+63)/64)
	for i, code := range codes {
		valid[i>>6] |= uint64(^uint32(code)>>31) << (i & 63)
	}
	return valid, nulls
}

// dictionaryPays reports whether a dictionary and indices are smaller than the plain values.
func dictionaryPays(dict *Dict, codes []int32, values int, width uint) bool {
	if dict.Len() <= values/2 {
		return true
	}
	if dict.Len() == values {
		return false
	}
	plain := 4 * values
	for _, code := range codes {
		if code > 0 {
			plain += int(dict.Ends[code] - dict.Ends[code-1])
		} else if code == 0 {
			plain += int(dict.Ends[0])
		}
	}
	return len(dict.Data)+4*dict.Len()+values*int(width)/8 < plain
}

// maxBoundBytes is the maximum length of a text in statistics.
const maxBoundBytes = 64

// textStats sets the statistics of a chunk from its dictionary.
func textStats(c *Chunk, dict *Dict) {
	least, most := dict.Value(0), dict.Value(0)
	for i := 1; i < dict.Len(); i++ {
		switch v := dict.Value(i); {
		case bytes.Compare(v, least) < 0:
			least = v
		case bytes.Compare(v, most) > 0:
			most = v
		}
	}
	c.Min, c.Max, c.Bounded, c.exact = least, most, true, true
	if len(least) > maxBoundBytes {
		c.Min, c.exact = cutText(least), false
	}
	if len(most) > maxBoundBytes {
		c.exact = false
		if c.Max = textAbove(cutText(most)); c.Max == nil {
			c.Min, c.Bounded = nil, false
		}
	}
	c.Min, c.Max = bytes.Clone(c.Min), bytes.Clone(c.Max)
}

// cutText shortens a text at a character boundary to at most maxBoundBytes.
func cutText(text []byte) []byte {
	n := maxBoundBytes
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// textAbove returns a text that is greater than all texts with this prefix: the prefix up to its
// last ASCII byte, incremented. It returns nil if there is none.
func textAbove(text []byte) []byte {
	for n := len(text); n > 0; n-- {
		if text[n-1] < 0x7f {
			above := bytes.Clone(text[:n])
			above[n-1]++
			return above
		}
	}
	return nil
}
