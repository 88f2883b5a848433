package embedded

import (
	"cmp"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"sluice/schema"
)

// merge puts the rows of the salts' ranges in the order of their time. The cursors
// are a heap; its first has the next row.
type merge struct {
	ctx     context.Context
	layout  schema.Layout
	reverse bool
	streams map[schema.StreamID]bool // nil: all
	cursors []*cursor
}

// cursor is one range's iterator and the key at which it stands.
type cursor struct {
	it   *pebble.Iterator
	head schema.Row // without cells
}

// newMerge opens the ranges and places every cursor on its first row. The merge
// is to be closed, after an error too.
func (t *Table) newMerge(ctx context.Context, s schema.Scan) (*merge, error) {
	m := &merge{ctx: ctx, layout: t.layout, reverse: s.Reverse}
	if s.Streams != nil {
		m.streams = make(map[schema.StreamID]bool, len(s.Streams))
		for _, id := range s.Streams {
			m.streams[id] = true
		}
	}
	var first *pebble.Iterator
	for _, r := range t.layout.Ranges(s.From, s.To) {
		o := &pebble.IterOptions{LowerBound: r.Start, UpperBound: r.Stop}
		var it *pebble.Iterator
		var err error
		if first == nil {
			it, err = t.db.NewIterWithContext(ctx, o)
			first = it
		} else { // what the first one sees, so that the ranges fit together
			it, err = first.CloneWithContext(ctx, pebble.CloneOptions{IterOptions: o})
		}
		if err != nil {
			return m, err
		}
		m.cursors = append(m.cursors, &cursor{it: it})
	}
	for i := len(m.cursors) - 1; i >= 0; i-- {
		if err := m.place(i, true); err != nil {
			return m, err
		}
	}
	return m, nil
}

// next goes on from the row of the first cursor.
func (m *merge) next() error { return m.place(0, false) }

// place moves cursor i to its first or its next wanted row and restores the heap
// from there down. A cursor at its end is closed and leaves.
func (m *merge) place(i int, begin bool) error {
	more, err := m.advance(m.cursors[i], begin)
	if err != nil {
		return err
	}
	if !more {
		end := len(m.cursors) - 1
		err = m.cursors[i].it.Close()
		m.cursors[i] = m.cursors[end]
		m.cursors = m.cursors[:end]
	}
	m.sink(i)
	return err
}

// advance moves one cursor to its first or next wanted row; false at its end.
func (m *merge) advance(c *cursor, begin bool) (bool, error) {
	for valid := m.step(c, begin); valid; valid = m.step(c, false) {
		if err := m.ctx.Err(); err != nil {
			return false, err
		}
		c.head.Key = c.it.Key()
		if err := m.layout.ParseKey(&c.head); err != nil {
			return false, err
		}
		if m.streams == nil || m.streams[c.head.Stream] {
			return true, nil
		}
	}
	return false, c.it.Error()
}

func (m *merge) step(c *cursor, begin bool) bool {
	switch {
	case begin && m.reverse:
		return c.it.Last()
	case begin:
		return c.it.First()
	case m.reverse:
		return c.it.Prev()
	}
	return c.it.Next()
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

// read fills row with the cursor's. Its bytes are the iterator's, until it moves.
func (c *cursor) read(row *schema.Row, d *decoder) error {
	row.Key, row.Time, row.Stream, row.Offset = c.head.Key, c.head.Time, c.head.Stream, c.head.Offset
	value, err := c.it.ValueAndErr()
	if err != nil {
		return err
	}
	return d.decode(row, value)
}

func (m *merge) close() error {
	var err error
	for _, c := range m.cursors {
		err = errors.Join(err, c.it.Close())
	}
	m.cursors = nil
	return err
}
