package bulkload

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"sluice/schema"
)

// window is the rows of one region that are still to be sorted, with copies of their bytes.
type window struct {
	memory *memory
	rows   []windowRow // the first sorted ones are in order
	sorted int
	spare  []windowRow
	filled *chunk // the one that gets the next record; nil: none
	chunks int    // bytes of all chunks of this window
}

// windowRow is where a row's record is.
type windowRow struct {
	prefix prefix
	chunk  *chunk
	at     uint32
	order  uint32 // of the rows that are not sorted yet
}

const (
	windowRowBytes = prefixBytes + 8 + 4 + 4
	// maxUnused is how many times as many rows as it has a window keeps room for.
	maxUnused = 3
)

// prefix is the first bytes of a key, as numbers of the same order: all of the keys that sluice makes,
// so that sorting does not look into the records.
type prefix [prefixBytes / 8]uint64

const prefixBytes = 24

// bytes is the memory that the window has, with what sorting needs.
func (w *window) bytes() int { return w.chunks + 2*windowRowBytes*len(w.rows) }

func (w *window) add(key []byte, time int64, cells []schema.Cell) {
	size := recordBytes(key, cells)
	if w.filled == nil || cap(w.filled.bytes)-len(w.filled.bytes) < size {
		full := w.filled
		w.filled = w.memory.take(size)
		w.chunks += cap(w.filled.bytes)
		if full != nil && full.rows == 0 {
			w.release(full)
		}
	}
	c := w.filled
	at := len(c.bytes)
	c.bytes = w.memory.appendRecord(c.bytes, key, time, cells)
	c.rows++
	w.rows = append(w.rows, windowRow{prefixOf(key), c, uint32(at), uint32(len(w.rows))})
}

func (w *window) release(c *chunk) {
	w.chunks -= cap(c.bytes)
	w.memory.giveBack(c)
}

// drop ends the use of a row.
func (w *window) drop(r *windowRow) {
	if r.chunk.rows--; r.chunk.rows == 0 && r.chunk != w.filled {
		w.release(r.chunk)
	}
}

func (r *windowRow) key() []byte {
	key, _ := cutKey(r.chunk.bytes[r.at:])
	return key
}

func (w *window) key(i int) []byte { return w.rows[i].key() }

// row appends row i's cells to cells. Key and values are valid until the row is removed.
func (w *window) row(cells []schema.Cell, i int) (key []byte, time int64, _ []schema.Cell) {
	r := &w.rows[i]
	return w.memory.record(r.chunk.bytes[r.at:], cells)
}

// write appends row i to a file.
func (w *window) write(file *fileWriter, i int) error {
	r := &w.rows[i]
	return w.memory.writeRecord(file, r.chunk.bytes[r.at:])
}

// compareKeys compares the keys of two rows.
func compareKeys(x, y *windowRow) int {
	for i, p := range x.prefix {
		if q := y.prefix[i]; p < q {
			return -1
		} else if p > q {
			return 1
		}
	}
	return bytes.Compare(x.key(), y.key())
}

// sort sorts the rows by key. Of rows with the same key it keeps the last one, as a table does. Those
// that were left by an earlier call are in order already, and only merged.
func (w *window) sort() {
	fresh := w.rows[w.sorted:]
	slices.SortFunc(fresh, func(x, y windowRow) int {
		return cmp.Or(compareKeys(&x, &y), cmp.Compare(x.order, y.order))
	})
	w.spare = w.spare[:0]
	old := w.rows[:w.sorted]
	for i := range fresh {
		for len(old) > 0 && compareKeys(&old[0], &fresh[i]) <= 0 {
			w.keep(&old[0])
			old = old[1:]
		}
		w.keep(&fresh[i])
	}
	w.spare = append(w.spare, old...)
	w.rows, w.spare, w.sorted = w.spare, w.rows, len(w.spare)
}

// keep appends the next row in order to spare, instead of one with the same key.
func (w *window) keep(r *windowRow) {
	if n := len(w.spare); n > 0 && compareKeys(&w.spare[n-1], r) == 0 {
		w.drop(&w.spare[n-1])
		w.spare[n-1] = *r
		return
	}
	w.spare = append(w.spare, *r)
}

// remove removes the first n rows of a sorted window.
func (w *window) remove(n int) {
	for i := range n {
		w.drop(&w.rows[i])
	}
	w.rows = slices.Delete(w.rows, 0, n)
	w.sorted = len(w.rows)
	if cap(w.rows) > maxUnused*(w.sorted+1) { // the window shrinks; one that is filled again keeps its arrays
		w.rows, w.spare = slices.Clone(w.rows), nil
	}
	if w.sorted == 0 && w.filled != nil {
		w.release(w.filled)
		w.filled = nil
	}
}

func prefixOf(key []byte) (p prefix) {
	var b [prefixBytes]byte
	copy(b[:], key)
	for i := range p {
		p[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return p
}

// appendRecord appends a row: key length | key | time | number of cells | for each cell the
// number of its qualifier | length of the value | value. Numbers are uvarints, the time 8 bytes.
func (m *memory) appendRecord(b, key []byte, time int64, cells []schema.Cell) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	b = binary.BigEndian.AppendUint64(b, uint64(time))
	b = binary.AppendUvarint(b, uint64(len(cells)))
	number := -1
	for i := range cells {
		c := &cells[i]
		number = m.number(c.Qualifier, number+1)
		b = binary.AppendUvarint(b, uint64(number))
		b = append(binary.AppendUvarint(b, uint64(len(c.Value))), c.Value...)
	}
	return b
}

const timeBytes = 8

// recordBytes is the most that a row's record has.
func recordBytes(key []byte, cells []schema.Cell) int {
	n := uvarintBytes(len(key)) + len(key) + timeBytes + uvarintBytes(len(cells))
	for i := range cells {
		n += binary.MaxVarintLen32 + uvarintBytes(len(cells[i].Value)) + len(cells[i].Value)
	}
	return n
}

func uvarintBytes(n int) int { return (bits.Len(uint(n)|1) + 6) / 7 }

func cutKey(b []byte) (key, rest []byte) {
	n, b := cutNumber(b)
	return b[:n:n], b[n:]
}

func cutTime(b []byte) (int64, []byte) { return int64(binary.BigEndian.Uint64(b)), b[timeBytes:] }

func cutNumber(b []byte) (int, []byte) {
	if b[0] < 0x80 {
		return int(b[0]), b[1:]
	}
	n, size := binary.Uvarint(b)
	return int(n), b[size:]
}
