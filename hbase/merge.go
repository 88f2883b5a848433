package hbase

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"sluice/hbase/wire"
	"sluice/schema"
)

// errRangeEnded: a range's blocks ended before its end; the range knows why.
var errRangeEnded = errors.New("range ended")

// cursor stands on a row of one range.
type cursor struct {
	blocks <-chan *block
	block  *block
	i      int
	cells  []byte     // of the row
	head   schema.Row // without cells
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
	c.cells = c.block.rows[c.i]
	c.i++
	key, err := rowKey(c.cells)
	c.head.Key = key
	return true, err
}

// close gives memory back; the range's goroutine must be on its way to its end.
func (c *cursor) close() {
	if c.block != nil {
		c.block.release()
		c.block = nil
	}
	for b := range c.blocks {
		b.release()
	}
}

// names are the qualifiers met so far as strings. Rows have mostly the same cells
// in the same order: what stood in a place before is looked at first.
type names struct {
	places []string
	known  map[string]string
}

// maxNames bounds what is remembered of a table that somebody else writes as well.
const maxNames = 4096

func (n *names) at(place int, qualifier []byte) string {
	if place < len(n.places) && n.places[place] == string(qualifier) {
		return n.places[place]
	}
	name, ok := n.known[string(qualifier)]
	if !ok {
		if n.known == nil || len(n.known) >= maxNames {
			n.known = make(map[string]string)
		}
		name = string(qualifier)
		n.known[name] = name
	}
	if place == len(n.places) && place < maxNames {
		n.places = append(n.places, name)
	} else if place < len(n.places) {
		n.places[place] = name
	}
	return name
}

// read fills row with the cursor's.
func (c *cursor) read(row *schema.Row, n *names) error {
	row.Key, row.Time, row.Stream, row.Offset = c.head.Key, c.head.Time, c.head.Stream, c.head.Offset
	row.Cells = row.Cells[:0]
	for cells := c.cells; len(cells) > 0; {
		cell, rest, err := wire.CutCell(cells)
		if err != nil {
			return err
		}
		if !bytes.Equal(cell.Row, row.Key) {
			return fmt.Errorf("%w: a result with cells of two rows", wire.ErrMalformed)
		}
		row.Cells = append(row.Cells, schema.Cell{Qualifier: n.at(len(row.Cells), cell.Qualifier), Value: cell.Value})
		cells = rest
	}
	return nil
}

// merge puts the rows of the ranges in the order of their time. The cursors are a
// heap; its first has the next row.
type merge struct {
	layout  schema.Layout
	reverse bool
	streams map[schema.StreamID]bool // nil: all
	cursors []*cursor
}

// run yields rows until there are no more, or nobody wants them.
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

// place moves cursor i to its next wanted row and restores the heap from there
// down. A cursor at its end leaves.
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

// sink moves cursor i down to where it belongs.
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

// before is the order of keys without their salt.
func (m *merge) before(a, b *schema.Row) bool {
	if m.reverse {
		a, b = b, a
	}
	c := cmp.Compare(a.Time, b.Time)
	if c == 0 {
		c = cmp.Compare(a.Stream, b.Stream)
	}
	if c == 0 {
		c = cmp.Compare(a.Offset, b.Offset)
	}
	return c < 0
}
