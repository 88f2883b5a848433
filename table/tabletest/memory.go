package tabletest

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"

	"sluice/schema"
)

// Memory is a table in memory, for tests of code that reads and writes tables. It is safe for
// concurrent use.
type Memory struct {
	layout schema.Layout

	mu   sync.Mutex
	rows map[string][]schema.Cell // by key
}

// NewMemory returns an empty table; a nil layout is the typed one.
func NewMemory(layout *schema.Layout) (*Memory, error) {
	m := &Memory{rows: map[string][]schema.Cell{}}
	if layout != nil {
		m.layout = *layout
		return m, nil
	}
	var err error
	m.layout, err = schema.NewLayout(schema.LayoutTyped)
	return m, err
}

// Layout is the table's layout.
func (m *Memory) Layout() schema.Layout { return m.layout }

// Put copies the rows; a row replaces one with the same key.
func (m *Memory) Put(ctx context.Context, rows *schema.Rows) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range rows.Len() {
		cells := slices.Clone(rows.Cells(i))
		for j := range cells {
			cells[j].Value = bytes.Clone(cells[j].Value)
		}
		m.rows[string(rows.Key(i))] = cells
	}
	return nil
}

// Flush does nothing.
func (m *Memory) Flush(context.Context) error { return nil }

// Close does nothing.
func (m *Memory) Close() error { return nil }

// Scan yields the selected rows in the order of time, stream and offset. It yields every cell, and
// ignores the filter.
func (m *Memory) Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error] {
	return func(yield func(*schema.Row, error) bool) {
		rows, err := m.sorted(m.layout.Ranges(max(s.From, 0), s.To))
		if err != nil {
			yield(nil, err)
			return
		}
		if s.Streams != nil {
			rows = slices.DeleteFunc(rows, func(r *schema.Row) bool { return !slices.Contains(s.Streams, r.Stream) })
		}
		if s.Reverse {
			slices.Reverse(rows)
		}
		for i, row := range rows {
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			if !yield(row, nil) || i+1 == s.Limit && s.Filter == nil {
				return
			}
		}
	}
}

// sorted returns the rows with keys in the ranges, sorted.
func (m *Memory) sorted(ranges []schema.KeyRange) ([]*schema.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []*schema.Row
	for key, cells := range m.rows {
		in := func(r schema.KeyRange) bool { return key >= string(r.Start) && (r.Stop == nil || key < string(r.Stop)) }
		if !slices.ContainsFunc(ranges, in) {
			continue
		}
		row := &schema.Row{Key: []byte(key), Cells: cells}
		if err := m.layout.ParseKey(row); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b *schema.Row) int {
		return a.Order().Compare(b.Order())
	})
	return rows, nil
}

// Streams returns the streams of the directory, in the order of their keys.
func (m *Memory) Streams(context.Context) ([]schema.StreamEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.layout.DirectoryRange()
	var keys []string
	for key := range m.rows {
		if key >= string(r.Start) && (r.Stop == nil || key < string(r.Stop)) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, strings.Compare)
	var list []schema.StreamEntry
	for _, key := range keys {
		e, err := m.layout.ParseStream(&schema.Row{Key: []byte(key), Cells: m.rows[key]})
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}
