package columnar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice/archive"
	"sluice/schema"
)

// Problem is an error in a table's file.
type Problem struct {
	File string
	Text string
}

// Verified counts what Verify read.
type Verified struct {
	Files       int
	Rows, Bytes int64
}

// Verify reads every file of a table whose name want accepts (nil: all), and reports problems, in
// the order of the files: wrong checksums, rows out of order, lines that cannot be rebuilt from
// their columns or differ from them, rows outside the ranges of their stream, ranges with a wrong
// number of lines, and lines that do not fill their ranges. The error is one of reading.
func Verify(ctx context.Context, store ReadStore, want func(name string) bool, report func(Problem)) (Verified, error) {
	t := OpenTable(store, TableOptions{})
	files, err := t.list(ctx, Bounds{})
	if err != nil {
		return Verified{}, fmt.Errorf("table: verify: %w", err)
	}
	if want != nil {
		files = slices.DeleteFunc(files, func(f archive.File) bool { return !want(f.Name) })
	}
	problems, checks := make([][]Problem, len(files)), make([]Verified, len(files))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(Workers())
	readers := sync.Pool{New: func() any { return new(verifier) }}
	for i, f := range files {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			v := readers.Get().(*verifier)
			defer readers.Put(v)
			v.problems, v.done = nil, Verified{}
			err := v.file(inner, t, f)
			problems[i], checks[i] = v.problems, v.done
			return err
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return Verified{}, fmt.Errorf("table: verify: %w", err)
	}
	var done Verified
	for i := range files {
		for _, p := range problems[i] {
			report(p)
		}
		done.Files += checks[i].Files
		done.Rows += checks[i].Rows
		done.Bytes += checks[i].Bytes
	}
	return done, nil
}

// verifier reads one file after another.
type verifier struct {
	batch    Batch
	entry    schema.Entry
	lines    map[schema.StreamID][]verifiedLine
	problems []Problem
	done     Verified
}

// verifiedLine is the position of a line in its stream.
type verifiedLine struct{ offset, end int64 }

func (v *verifier) problem(name, format string, args ...any) {
	v.problems = append(v.problems, Problem{name, fmt.Sprintf(format, args...)})
}

func (v *verifier) file(ctx context.Context, t *Table, f archive.File) (err error) {
	v.done = Verified{Files: 1, Bytes: f.Bytes}
	footer, err := t.readFooter(ctx, f, true)
	if errors.Is(err, ErrFile) {
		v.problem(f.Name, "%s", strings.TrimPrefix(err.Error(), f.Name+": "))
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, footer.source.drop()) }()
	v.lines = map[schema.StreamID][]verifiedLine{}
	rows := 0
	for g := range footer.file.Groups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := footer.file.Read(g, nil, &v.batch)
		if err == nil {
			err = footer.file.checkPages(g, &v.batch)
		}
		if errors.Is(err, ErrFile) {
			v.problem(f.Name, "row group %d: %v", g, err)
			return nil
		}
		if err != nil {
			return err
		}
		rows += v.batch.Rows
		if err := v.rows(); err != nil {
			v.problem(f.Name, "row group %d: %v", g, err)
			return nil
		}
	}
	v.done.Rows = int64(rows)
	if int64(rows) != footer.meta.Rows {
		v.problem(f.Name, "it has %d rows, and says that it has %d", rows, footer.meta.Rows)
	}
	v.ranges(f.Name, footer.meta)
	return nil
}

// rows rebuilds the lines of the batch and checks their order.
func (v *verifier) rows() error {
	b := &v.batch
	times, offsets := b.Column(schema.TimeField), b.Column(schema.OffsetField)
	var last schema.RowOrder
	for i := range b.Rows {
		s, err := b.Stream(i)
		if err == nil {
			err = b.Entry(i, &v.entry)
		}
		if err == nil {
			err = b.checkRow(i, &v.entry)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		k := schema.RowOrder{Stream: s.Stream.ID, Offset: offsets.Ints[i]}
		if times != nil && !times.Null(i) {
			k.Time = times.Ints[i]
		}
		if i > 0 && k.Compare(last) <= 0 {
			return fmt.Errorf("row %d is not in the order of time, stream and offset", i)
		}
		last = k
		v.lines[k.Stream] = append(v.lines[k.Stream], verifiedLine{k.Offset, k.Offset + int64(len(v.entry.Record.Line))})
	}
	return nil
}

// ranges compares the lines with their ranges.
func (v *verifier) ranges(name string, m *Meta) {
	ranges := map[schema.StreamID][]RangeMeta{}
	for i := range m.Streams {
		id := m.Streams[i].Stream.ID
		ranges[id] = append(ranges[id], m.Streams[i].Ranges...)
	}
	for id, list := range ranges {
		lines := v.lines[id]
		delete(v.lines, id)
		slices.SortFunc(lines, func(a, b verifiedLine) int { return cmp.Compare(a.offset, b.offset) })
		slices.SortFunc(list, func(a, b RangeMeta) int { return cmp.Compare(a.Start, b.Start) })
		for _, r := range list {
			n := 0
			for n < len(lines) && lines[n].offset < r.End {
				n++
			}
			v.lineRange(name, id, r, lines[:n])
			lines = lines[n:]
		}
		if len(lines) > 0 {
			v.problem(name, "stream %s: %d lines from byte %d on are in no range", id, len(lines), lines[0].offset)
		}
	}
	for id := range v.lines {
		v.problem(name, "stream %s has rows and no range", id)
	}
}

// lineRange checks that lines fill a range. NUL bytes may be between them, which are not part of a
// line.
func (v *verifier) lineRange(name string, id schema.StreamID, r RangeMeta, lines []verifiedLine) {
	if int64(len(lines)) != r.Lines {
		v.problem(name, "stream %s: range %v has %d lines, and %d rows are there", id, r.Range, r.Lines, len(lines))
		return
	}
	at := r.Start
	for _, l := range lines {
		if l.offset < at || l.end > r.End {
			v.problem(name, "stream %s: the line at byte %d does not fit between its neighbours in range %v", id, l.offset, r.Range)
			return
		}
		at = l.end + 1
	}
}
