package hfile

import (
	"cmp"
	"encoding/binary"
	"math/bits"

	"sluice/hbase/wire"
)

// shared returns how many bytes of its key a cell shares with the last one, without the timestamp,
// and whether it sorts after that cell.
func (w *Writer) shared(row []byte, qualifier string, timestampMillis uint64) (n int, sorted bool) {
	if len(w.key) == 0 {
		return 0, true
	}
	last := w.key[rowLengthBytes:w.rowEnd]
	if string(last) != string(row) {
		n := commonPrefix(last, row)
		sorted := n < len(row) && (n == len(last) || last[n] < row[n])
		switch {
		case len(last) == len(row):
			return rowLengthBytes + n, sorted
		case len(last)>>8 == len(row)>>8:
			return 1, sorted // the first byte of the row's length
		}
		return 0, sorted
	}
	lastQualifier := w.key[w.familyEnd : len(w.key)-keySuffixBytes]
	n = commonPrefix(lastQualifier, qualifier)
	order := cmp.Compare(n, len(qualifier)) // -1 if the qualifier has bytes after the common ones
	switch {
	case n < len(lastQualifier) && n < len(qualifier):
		order = cmp.Compare(lastQualifier[n], qualifier[n])
	case n < len(lastQualifier):
		order = 1
	case order == 0:
		order = cmp.Compare(timestampMillis, w.timestamp()) // later ones first
	}
	return w.familyEnd + n, order < 0
}

// commonPrefix is the number of leading bytes that are equal.
func commonPrefix[T []byte | string](a []byte, b T) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// setKey replaces the last cell's key. The first bytes of the two are equal.
func (w *Writer) setKey(row []byte, qualifier string, timestampMillis uint64, shared int) {
	k := w.key
	if shared >= w.familyEnd && len(k) > 0 { // the same row
		k = append(k[:shared], qualifier[shared-w.familyEnd:]...)
	} else {
		k = binary.BigEndian.AppendUint16(k[:0], uint16(len(row)))
		k = append(k, row...)
		w.rowEnd = len(k)
		k = append(k, byte(len(w.options.Family)))
		k = append(k, w.options.Family...)
		w.familyEnd = len(k)
		k = append(k, qualifier...)
	}
	k = binary.BigEndian.AppendUint64(k, timestampMillis)
	w.key = append(k, byte(wire.Put))
}

// lastKey is what a difference needs to know of the cell before.
type lastKey struct {
	bytes     int
	timestamp uint64
}

// appendFirst adds the first cell of a block; its key is w.key.
func (w *Writer) appendFirst(value []byte) {
	if w.options.Encoding != FastDiff {
		w.appendWhole(value)
		return
	}
	b := append(w.body, 0)
	b = binary.AppendUvarint(b, uint64(len(w.key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = append(b, 0) // nothing is shared
	b = append(b, w.key...)
	w.appendValue(b, value)
}

// appendWhole adds a cell without encoding.
func (w *Writer) appendWhole(value []byte) {
	b := binary.BigEndian.AppendUint32(w.body, uint32(len(w.key)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, w.key...)
	w.appendValue(b, value)
}

func (w *Writer) appendValue(body, value []byte) {
	w.valueAt = len(body)
	w.body = append(body, value...)
	w.valueEnd = len(w.body)
}

// The flags of a cell in FAST_DIFF. The lowest three bits are the number of leading bytes that the
// two timestamps share.
const (
	sameKeyLength   = 1 << 3
	sameValueLength = 1 << 4
	sameType        = 1 << 5
	sameValue       = 1 << 6

	maxSharedTimestampBytes = 7
)

// appendDifference adds a cell as its difference from the one before: flags | [key length] | [value
// length] | shared bytes of the key | the rest of row and qualifier | the rest of the timestamp |
// [value]. The family is never repeated.
func (w *Writer) appendDifference(last lastKey, shared int, value []byte) {
	timestamp := w.timestamp()
	sharedTimestamp := min(maxSharedTimestampBytes, bits.LeadingZeros64(timestamp^last.timestamp)/8)
	flags := byte(sharedTimestamp) | sameType
	b := append(w.body, 0)
	at := len(b) - 1
	if len(w.key) == last.bytes {
		flags |= sameKeyLength
	} else {
		b = binary.AppendUvarint(b, uint64(len(w.key)))
	}
	equal := false
	if lastValue := b[w.valueAt:w.valueEnd]; len(value) == len(lastValue) {
		flags |= sameValueLength
		equal = string(value) == string(lastValue)
	} else {
		b = binary.AppendUvarint(b, uint64(len(value)))
	}
	b = binary.AppendUvarint(b, uint64(shared))
	end := len(w.key) - keySuffixBytes
	if shared < w.familyEnd { // another row
		b = append(b, w.key[shared:w.rowEnd]...)
		b = append(b, w.key[w.familyEnd:end]...)
	} else {
		b = append(b, w.key[shared:end]...)
	}
	b = append(b, w.key[end+sharedTimestamp:end+timestampBytes]...)
	if equal {
		b[at] = flags | sameValue
		w.body = b
		return
	}
	b[at] = flags
	w.appendValue(b, value)
}
