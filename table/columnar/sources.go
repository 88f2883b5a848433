package columnar

import (
	"context"
	"fmt"
	"slices"

	"sluice/schema"
)

// groupSource gives the lines of a row group, page by page.
type groupSource struct {
	groupJob
	begun    bool
	from, to int // rows that were not read yet
}

func (g *groupSource) close() error { return g.part.end() }

// load implements lineSource.
func (g *groupSource) load(ctx context.Context, m *merge, c *cursor) error {
	if !g.begun {
		g.begun = true
		if err := g.part.begin(ctx, m.snapshot); err != nil {
			return err
		}
		if g.part.gone {
			if g.first {
				m.moved = append(m.moved, g.part.moved...)
			}
			return nil
		}
		g.from, g.to = m.want.rows(g.part.file, g.group)
	}
	for len(c.lines) == 0 && g.from < g.to {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := g.nextPage(m.reverse)
		if err := g.loadRows(m, c, from, to); err != nil {
			return fmt.Errorf("%s: %w", g.part.name, err)
		}
	}
	return nil
}

// nextPage returns the rows that are left of the page that is next.
func (g *groupSource) nextPage(reverse bool) (from, to int) {
	for _, p := range g.part.file.Pages(g.group) {
		end := p.FirstRow + p.Rows
		switch {
		case reverse && p.FirstRow < g.to && g.to <= end:
			return max(p.FirstRow, g.from), g.to
		case !reverse && p.FirstRow <= g.from && g.from < end:
			return g.from, min(end, g.to)
		}
	}
	return g.from, g.to // a file without a page index
}

// loadRows adds the lines of the rows that are wanted, and notes how far it came.
func (g *groupSource) loadRows(m *merge, c *cursor, from, to int) error {
	file, info := g.part.file, &g.part.file.Groups()[g.group]
	choose := m.want.chooser(m.streams, g.part.counts)
	done := func(rows int) {
		if m.reverse {
			g.to -= rows
		} else {
			g.from += rows
		}
	}
	var rows Selection
	if m.match != nil {
		columns := append(slices.Clone(m.want.Columns), choose.columns(info)...)
		slices.Sort(columns)
		if err := file.ReadRows(g.group, from, to, slices.Compact(columns), &m.narrow); err != nil {
			return err
		}
		rows = m.match(&m.narrow, choose.choose(info, &m.narrow))
		if rows.Count(to-from) == 0 {
			done(to - from)
			return nil
		}
	}
	if err := file.ReadRows(g.group, from, to, nil, &m.batch); err != nil {
		return err
	}
	if m.match == nil {
		rows = choose.choose(info, &m.batch)
	}
	n, err := m.hold(c, &m.batch, rows, 0)
	done(n)
	return err
}

// hold adds the lines of the selected rows of a batch to a cursor, after skip rows in the
// order of the scan, until there are enough. It returns how many rows it went through.
func (m *merge) hold(c *cursor, b *Batch, rows Selection, skip int) (n int, err error) {
	times, offsets := b.Column(schema.TimeField), b.Column(schema.OffsetField)
	for n = skip; n < b.Rows && len(c.text) < m.budget; n++ {
		i := n
		if m.reverse {
			i = b.Rows - 1 - n
		}
		if !rows.Has(i) {
			continue
		}
		if c.text, err = b.Line(c.text, i); err != nil {
			return n, err
		}
		stream, err := b.Stream(i)
		if err != nil {
			return n, err
		}
		h := heldLine{stream: &stream.Stream, end: len(c.text)}
		h.key.stream, h.key.offset = h.stream.ID, offsets.Ints[i]
		if times != nil && !times.Null(i) {
			h.key.time = times.Ints[i]
		}
		c.lines = append(c.lines, h)
	}
	return n, nil
}

// freshSource gives the lines of a piece of a fresh segment.
type freshSource struct {
	piece freshPiece
	read  int // rows, in the order of the scan
	rows  int // in all
	begun bool
}

func (f *freshSource) close() error { return nil }

// load implements lineSource.
func (f *freshSource) load(ctx context.Context, m *merge, c *cursor) error {
	if f.begun && f.read == f.rows {
		return nil
	}
	if err := m.fresh.readPiece(ctx, f.piece, &m.batch); err != nil {
		return err
	}
	f.begun, f.rows = true, m.batch.Rows
	g := groupOf(&m.batch)
	rows := m.want.chooser(m.streams, nil).choose(&g, &m.batch)
	if m.match != nil {
		rows = m.match(&m.batch, rows)
	}
	var err error
	f.read, err = m.hold(c, &m.batch, rows, f.read)
	return err
}
