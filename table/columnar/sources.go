package columnar

import (
	"context"
	"fmt"
	"slices"

	"sluice/schema"
)

// groupSource reads the lines of a row group, page by page.
type groupSource struct {
	groupJob
	start, end int // the rows of the group that it has
	begun      bool
	from, to   int // those that were not read yet
	pages      []pageInfo
	// selected are the rows from matched on that match, if there is a match.
	selected Selection
	matched  int
}

func (g *groupSource) close() error { return g.part.end() }

// load implements lineSource.
func (g *groupSource) load(ctx context.Context, l *loader, h *held) error {
	if !g.begun {
		g.begun = true
		if err := g.part.begin(ctx, l.merge.snapshot); err != nil {
			return err
		}
		if g.part.gone {
			h.ended = true
			if g.first {
				h.moved = g.part.moved
			}
			return nil
		}
		if err := g.begin(l); err != nil {
			return fmt.Errorf("%s: %w", g.part.name, err)
		}
	}
	// A page usually has at least as many lines as needed, or a few that match.
	for len(h.text) <= l.merge.budget/8 && g.from < g.to {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := g.nextPage(l.merge.reverse)
		if err := g.loadRows(l, h, from, to); err != nil {
			return fmt.Errorf("%s: %w", g.part.name, err)
		}
	}
	h.ended = g.from == g.to
	return nil
}

// begin finds the selected rows.
func (g *groupSource) begin(l *loader) error {
	m, file := l.merge, g.part.file
	g.from, g.to = m.want.rows(file, g.group)
	g.from, g.to = max(g.from, g.start), min(g.to, g.end)
	if g.from >= g.to {
		g.from = g.to
		return nil
	}
	g.pages = file.pages(g.group)
	if m.match == nil {
		return nil
	}
	info := &file.Groups()[g.group]
	choose := m.want.chooser(l.streams, g.part.counts)
	columns := append(slices.Clone(m.want.Columns), choose.columns(info)...)
	slices.Sort(columns)
	if err := file.readRows(g.group, g.from, g.to, slices.Compact(columns), &l.narrow); err != nil {
		return err
	}
	g.matched, g.selected = g.from, slices.Clone(m.match(l.worker, &l.narrow, choose.choose(info, &l.narrow)))
	if g.selected != nil && g.selected.Count(g.to-g.from) == 0 {
		g.from = g.to
	}
	return nil
}

// nextPage returns the remaining rows of the next page.
func (g *groupSource) nextPage(reverse bool) (from, to int) {
	for _, p := range g.pages {
		end := p.firstRow + p.rows
		switch {
		case reverse && p.firstRow < g.to && g.to <= end:
			return max(p.firstRow, g.from), g.to
		case !reverse && p.firstRow <= g.from && g.from < end:
			return g.from, min(end, g.to)
		}
	}
	return g.from, g.to // a file without a page index
}

// loadRows adds the selected lines of the rows, and records its position.
func (g *groupSource) loadRows(l *loader, h *held, from, to int) error {
	m := l.merge
	n := to - from
	var rows Selection
	if g.selected != nil {
		l.part = g.selected.slice(l.part, from-g.matched, to-g.matched)
		rows = l.part
	}
	if rows.Count(n) > 0 {
		if err := g.part.file.readRows(g.group, from, to, storedLineColumns, &l.batch); err != nil {
			return err
		}
		if m.match == nil {
			rows = m.want.chooser(l.streams, g.part.counts).choose(&g.part.file.Groups()[g.group], &l.batch)
		}
		err := l.batch.needLines(rows)
		if err != nil {
			return err
		}
		if n, err = l.hold(h, rows, 0); err != nil {
			return err
		}
	}
	if m.reverse {
		g.to -= n
	} else {
		g.from += n
	}
	return nil
}

// storedLineColumns are what is read of a row whose line is stored.
var storedLineColumns = []string{schema.LogbodyField, schema.StreamField, schema.OffsetField, schema.TimeField}

// needLines reads all columns, unless the lines of all selected rows are stored.
func (b *Batch) needLines(rows Selection) error {
	lines := b.Column(schema.LogbodyField)
	for i := range b.Rows {
		if rows.Has(i) && (lines == nil || lines.Codes[i] < 0) {
			return b.needAll()
		}
	}
	return nil
}

// hold adds the lines of the selected rows of the loader's batch, after skipping rows in the order
// of the scan, until there are enough. It returns the number of rows that it passed.
func (l *loader) hold(h *held, rows Selection, skip int) (n int, err error) {
	b := &l.batch
	times, offsets := b.Column(schema.TimeField), b.Column(schema.OffsetField)
	for n = skip; n < b.Rows && len(h.text) < l.merge.budget; n++ {
		i := n
		if l.merge.reverse {
			i = b.Rows - 1 - n
		}
		if !rows.Has(i) {
			continue
		}
		if h.text, err = b.Line(h.text, i); err != nil {
			return n, err
		}
		stream, err := b.Stream(i)
		if err != nil {
			return n, err
		}
		line := heldLine{stream: &stream.Stream, end: len(h.text)}
		line.key.Stream, line.key.Offset = line.stream.ID, offsets.Ints[i]
		if times != nil && !times.Null(i) {
			line.key.Time = times.Ints[i]
		}
		h.lines = append(h.lines, line)
	}
	return n, nil
}

// freshSource reads the lines of a run of members of a fresh segment.
type freshSource struct {
	run  memberRun
	read int // rows, in the order of the scan
}

func (f *freshSource) close() error { return nil }

// load implements lineSource.
func (f *freshSource) load(ctx context.Context, l *loader, h *held) error {
	if err := l.fresh.readRun(ctx, f.run, &l.batch); err != nil {
		return err
	}
	m, g := l.merge, groupOf(&l.batch)
	rows := m.want.chooser(l.streams, nil).choose(&g, &l.batch)
	if m.match != nil {
		rows = m.match(l.worker, &l.batch, rows)
	}
	var err error
	f.read, err = l.hold(h, rows, f.read)
	h.ended = f.read == l.batch.Rows
	return err
}
