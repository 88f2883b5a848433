package bulkload

import (
	"bytes"
	"slices"

	"sluice/schema"
)

// buffer is rows of one region in memory, with copies of their bytes.
type buffer struct {
	rows  []bufferedRow
	cells []bufferedCell
	arena []byte // keys and values
}

type bufferedRow struct {
	at, end         int // the key in the arena
	cellAt, cellEnd int // in buffer.cells
	time            int64
}

type bufferedCell struct {
	qualifier string
	at, end   int // the value in the arena
}

func (b *buffer) add(key []byte, time int64, cells []schema.Cell) {
	r := bufferedRow{at: len(b.arena), cellAt: len(b.cells), time: time}
	b.arena = append(b.arena, key...)
	r.end = len(b.arena)
	for i := range cells {
		c := &cells[i]
		at := len(b.arena)
		b.arena = append(b.arena, c.Value...)
		b.cells = append(b.cells, bufferedCell{c.Qualifier, at, len(b.arena)})
	}
	r.cellEnd = len(b.cells)
	b.rows = append(b.rows, r)
}

func (b *buffer) key(i int) []byte { return b.arena[b.rows[i].at:b.rows[i].end] }

// sort sorts the rows by key. Of rows with the same key it keeps the last one, as a table does.
func (b *buffer) sort() {
	slices.SortStableFunc(b.rows, func(x, y bufferedRow) int {
		return bytes.Compare(b.arena[x.at:x.end], b.arena[y.at:y.end])
	})
	kept := b.rows[:0]
	for i := range b.rows {
		if i+1 < len(b.rows) && bytes.Equal(b.key(i), b.key(i+1)) {
			continue
		}
		kept = append(kept, b.rows[i])
	}
	b.rows = kept
}

// row appends row i's cells to cells, whose values are parts of the buffer.
func (b *buffer) row(cells []schema.Cell, i int) (key []byte, time int64, _ []schema.Cell) {
	r := &b.rows[i]
	for _, c := range b.cells[r.cellAt:r.cellEnd] {
		cells = append(cells, schema.Cell{Qualifier: c.qualifier, Value: b.arena[c.at:c.end]})
	}
	return b.arena[r.at:r.end], r.time, cells
}

// moveTo moves the rows from index from on to an empty buffer, and empties this one.
func (b *buffer) moveTo(to *buffer, from int) {
	for i := from; i < len(b.rows); i++ {
		r := b.rows[i]
		moved := bufferedRow{at: len(to.arena), cellAt: len(to.cells), time: r.time}
		to.arena = append(to.arena, b.arena[r.at:r.end]...)
		moved.end = len(to.arena)
		for _, c := range b.cells[r.cellAt:r.cellEnd] {
			at := len(to.arena)
			to.arena = append(to.arena, b.arena[c.at:c.end]...)
			to.cells = append(to.cells, bufferedCell{c.qualifier, at, len(to.arena)})
		}
		moved.cellEnd = len(to.cells)
		to.rows = append(to.rows, moved)
	}
	b.reset()
}

func (b *buffer) reset() { b.rows, b.cells, b.arena = b.rows[:0], b.cells[:0], b.arena[:0] }
