package hbase

import (
	"errors"
	"fmt"

	"sluice/hbase/region"
	"sluice/hbase/wire"
	"sluice/schema"
)

// batch is rows for one region: their encoded cells, and the end of each row.
type batch struct {
	region *region.Region // nil: to be located
	cells  []byte
	rows   []rowEnd
	alone  bool // goes in a request of its own
	lane   *lane
}

type rowEnd struct {
	end   int // in batch.cells
	count int // of cells
}

var errEmptyRow = errors.New("a row without cells")

// checkRow returns an error for a row that cannot be sent.
func checkRow(key []byte, cells []schema.Cell) error {
	switch {
	case len(key) == 0 || len(key) > wire.MaxRowBytes:
		return fmt.Errorf("a row key of %d bytes: HBase accepts 1 to %d", len(key), wire.MaxRowBytes)
	case len(cells) == 0:
		return errEmptyRow
	}
	return nil
}

// appendRow encodes a row. The cells' timestamp is that of the event, so that a row that is put
// again replaces itself. A row without a time gets the server's time, as a table's TTL would remove
// one of 1970 at once.
func (b *batch) appendRow(family string, key []byte, eventNanos int64, cells []schema.Cell) {
	timestamp := uint64(wire.Latest)
	if eventNanos > 0 {
		timestamp = uint64(eventNanos) / 1e6
	}
	for i := range cells {
		c := &cells[i]
		b.cells = wire.AppendCell(b.cells, key, family, c.Qualifier, timestamp, wire.Put, c.Value)
	}
	b.rows = append(b.rows, rowEnd{len(b.cells), len(cells)})
}

// row returns the cells of row i.
func (b *batch) row(i int) []byte {
	start := 0
	if i > 0 {
		start = b.rows[i-1].end
	}
	return b.cells[start:b.rows[i].end]
}

// key returns the key of row i.
func (b *batch) key(i int) []byte {
	c, _, err := wire.CutCell(b.row(i))
	if err != nil {
		panic(err) // encoded by appendRow
	}
	return c.Row
}

// take appends row i of another batch.
func (b *batch) take(o *batch, i int) {
	b.cells = append(b.cells, o.row(i)...)
	b.rows = append(b.rows, rowEnd{len(b.cells), o.rows[i].count})
}

// decode returns row i as it was put.
func (b *batch) decode(i int) (key []byte, cells []schema.Cell) {
	for block := b.row(i); len(block) > 0; {
		c, rest, err := wire.CutCell(block)
		if err != nil {
			panic(err) // encoded by appendRow
		}
		key, block = c.Row, rest
		cells = append(cells, schema.Cell{Qualifier: string(c.Qualifier), Value: c.Value})
	}
	return key, cells
}

func (b *batch) reset() {
	*b = batch{cells: b.cells[:0], rows: b.rows[:0]}
}
