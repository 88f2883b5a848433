package hbase

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"sluice/hbase/wire"
	"sluice/schema"
)

// errRangeEnded is the error of a range whose blocks ended before its end; the range has the cause.
var errRangeEnded = errors.New("range ended")

// cursor is the position in one range.
type cursor struct {
	blocks <-chan *block
	block  *block
	i      int
	cells  []byte     // of the row
	head   schema.Row // without cells
	warmed byte       // keeps the compiler from removing the reads of warm
}

const (
	// warmRows is the number of rows that are prefetched at once.
	warmRows = 16
	// headBytes is the approximate offset of the first cell's qualifier in a row.
	headBytes = 48
)

// warm reads a byte of each of the next rows. By the time that they are used, a response is no
// longer in a CPU cache, and memory loads sixteen rows nearly as fast as one.
func (c *cursor) warm() {
	for _, row := range c.block.rows[c.i:min(c.i+warmRows, len(c.block.rows))] {
		c.warmed ^= row[0] ^ row[min(headBytes, len(row)-1)]
	}
}

// next moves to the next row; false at the range's end.
func (c *cursor) next(ctx context.Context) (bool, error) {
	for c.block == nil || c.i == len(c.block.rows) {
		if c.block != nil {
			end := c.block.end
			c.block.release()
			c.block = nil
			if end {
				return false, nil
			}
		}
		select {
		case b, ok := <-c.blocks:
			if !ok {
				return false, cmp.Or(ctx.Err(), errRangeEnded)
			}
			c.block, c.i = b, 0
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	if c.i%warmRows == 0 {
		c.warm()
	}
	c.cells = c.block.rows[c.i]
	c.i++
	key, err := rowKey(c.cells)
	c.head.Key = key
	return true, err
}

// close releases memory; the range's goroutine must have been cancelled.
func (c *cursor) close() {
	if c.block != nil {
		c.block.release()
		c.block = nil
	}
	for b := range c.blocks {
		b.release()
	}
}

// names are the qualifiers seen so far as strings, sorted like the cells of a row: the next cell's
// is usually the next one here, or one soon after it.
type names struct{ sorted []string }

const (
	// maxNames bounds the cache for a table that other programs write, too.
	maxNames = 4096
	// scanAhead is the number of names that are compared before searching.
	scanAhead = 4
)

// find returns the index of a qualifier that is expected at an index or soon after it.
func (n *names) find(place int, qualifier []byte) int {
	for i := place; i < min(place+scanAhead, len(n.sorted)); i++ {
		if n.sorted[i] == string(qualifier) {
			return i
		}
	}
	return n.search(qualifier)
}

func (n *names) search(qualifier []byte) int {
	i, ok := slices.BinarySearch(n.sorted, string(qualifier))
	switch {
	case ok:
	case len(n.sorted) >= maxNames:
		n.sorted, i = []string{string(qualifier)}, 0
	default:
		n.sorted = slices.Insert(n.sorted, i, string(qualifier))
	}
	return i
}

// read sets row to the cursor's.
func (c *cursor) read(row *schema.Row, n *names) error {
	row.Key, row.Time, row.Stream, row.Offset = c.head.Key, c.head.Time, c.head.Stream, c.head.Offset
	row.Cells = row.Cells[:0]
	place := 0
	for cells := c.cells; len(cells) > 0; {
		p, err := wire.FirstCell(cells)
		if err != nil {
			return err
		}
		if !bytes.Equal(cells[wire.RowAt:p.Row], row.Key) {
			return fmt.Errorf("%w: a result with cells of two rows", wire.ErrMalformed)
		}
		place = n.find(place, cells[p.Family:p.Qualifier])
		row.Cells = append(row.Cells, schema.Cell{Qualifier: n.sorted[place], Value: cells[p.Qualifier+wire.ValueGap : p.Value : p.Value]})
		cells = cells[p.End:]
		place++
	}
	return nil
}

// merge merges the rows of the ranges by time. The cursors are a heap; its first has the next row.
type merge struct {
	layout  schema.Layout
	reverse bool
	streams map[schema.StreamID]bool // nil: all
	cursors []*cursor
}

// run yields rows until the end, or until yield returns false.
func (m *merge) run(ctx context.Context, cursors []*cursor, s schema.Scan, yield func(*schema.Row, error) bool) error {
	m.cursors = append(m.cursors, cursors...)
	for i := len(m.cursors) - 1; i >= 0; i-- {
		if err := m.place(ctx, i); err != nil {
			return err
		}
	}
	var row schema.Row
	var n names
	for rows := 0; len(m.cursors) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.cursors[0].read(&row, &n); err != nil {
			return err
		}
		if !yield(&row, nil) {
			return nil
		}
		if rows++; rows == s.Limit && s.Filter == nil {
			return nil
		}
		if err := m.place(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// place moves cursor i to its next selected row and restores the heap from there down. A cursor at
// its end is removed.
func (m *merge) place(ctx context.Context, i int) error {
	more, err := m.advance(ctx, m.cursors[i])
	if err != nil {
		return err
	}
	if !more {
		end := len(m.cursors) - 1
		m.cursors[i] = m.cursors[end]
		m.cursors = m.cursors[:end]
	}
	m.sink(i)
	return nil
}

func (m *merge) advance(ctx context.Context, c *cursor) (bool, error) {
	for {
		ok, err := c.next(ctx)
		if err != nil || !ok {
			return false, err
		}
		if err := m.layout.ParseKey(&c.head); err != nil {
			return false, err
		}
		if m.streams == nil || m.streams[c.head.Stream] {
			return true, nil
		}
	}
}

// sink moves cursor i down to its place in the heap.
func (m *merge) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.cursors); child++ {
			if m.before(&m.cursors[child].head, &m.cursors[least].head) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.cursors[i], m.cursors[least] = m.cursors[least], m.cursors[i]
		i = least
	}
}

// before compares keys without their salt.
func (m *merge) before(a, b *schema.Row) bool {
	if m.reverse {
		a, b = b, a
	}
	return a.Order().Compare(b.Order()) < 0
}
