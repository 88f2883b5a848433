package hbase

import (
	"bytes"
	"context"
	"testing"

	"sluice/hadoop/protobuf"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/schema"
)

// elevenCells returns a typical row.
func elevenCells() []schema.Cell {
	cells := []schema.Cell{{Qualifier: "logbody", Value: make([]byte, 226)}}
	for _, q := range []string{"agent", "bytes", "client", "host", "method", "path", "protocol", "referer", "status", "time"} {
		cells = append(cells, schema.Cell{Qualifier: q, Value: make([]byte, 8)})
	}
	return cells
}

const rowsOfATest = 1000

// Writing allocates for each request, not for its rows and cells.
func TestAnAnswerToARequestAllocatesNothingForItsRows(t *testing.T) {
	var result []byte
	for i := range rowsOfATest {
		result = protobuf.AppendBytes(result, 1, protobuf.AppendUint(nil, 1, uint64(i)))
	}
	message := protobuf.AppendBytes(nil, 1, result)
	list := []*batch{{rows: make([]rowEnd, rowsOfATest)}}
	parse := func() {
		if o, err := parseMulti(message, list); err != nil || o[0].done != rowsOfATest {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	if n := testing.AllocsPerRun(100, parse); n > 10 {
		t.Errorf("%v allocations for an answer about %d rows", n, rowsOfATest)
	}
}

// answer returns a scan's response with rowsOfATest rows, and its decoded block.
func answer(t testing.TB, layout schema.Layout, cells []schema.Cell) (message, block []byte) {
	t.Helper()
	var b batch
	var counts []byte
	for i := range rowsOfATest {
		b.appendRow("l", layout.AppendKey(nil, 1e18+int64(i), 1, 0), 1e18, cells)
		counts = append(counts, byte(len(cells)))
	}
	return protobuf.AppendBool(protobuf.AppendBytes(nil, 1, counts), 8, true), b.cells
}

// reader reads one response as a scan does.
type reader struct {
	merge merge
	names names
	row   schema.Row
}

func (r *reader) read(t testing.TB, message, cells []byte) (rows int) {
	t.Helper()
	s, err := parseScan(message)
	if err != nil {
		t.Fatal(err)
	}
	scan := &rangeScan{order: &scanOrder{}, region: &region.Region{}}
	whole, err := scan.block(&rpc.Response{Cells: cells}, &s)
	if err != nil {
		t.Fatal(err)
	}
	whole.end = true
	blocks := make(chan *block, 1)
	blocks <- whole
	c := &cursor{blocks: blocks}
	for {
		more, err := r.merge.advance(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return rows
		}
		if err := c.read(&r.row, &r.names); err != nil {
			t.Fatal(err)
		}
		rows++
	}
}

// Rows that are read point into the response that contained them.
func TestReadingRowsAllocatesNothingForThemAndTheirCells(t *testing.T) {
	layout, cells := typedLayout(t), elevenCells()
	message, block := answer(t, layout, cells)
	r := reader{merge: merge{layout: layout}}
	read := func() {
		if rows := r.read(t, message, block); rows != rowsOfATest || len(r.row.Cells) != len(cells) || !bytes.Equal(r.row.Cells[0].Value, cells[0].Value) {
			t.Fatalf("%d rows, the last is %+v", rows, r.row)
		}
	}
	read()
	// For the response: its block, the list of its rows, and the number of cells of each.
	if n := testing.AllocsPerRun(100, read); n > 30 {
		t.Errorf("%v allocations for %d rows of %d cells", n, rowsOfATest, len(cells))
	}
}

func typedLayout(t testing.TB) schema.Layout {
	t.Helper()
	layout, err := schema.NewLayout(schema.LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// BenchmarkReadRows reads rows of a response; an operation is a row.
func BenchmarkReadRows(b *testing.B) {
	layout := typedLayout(b)
	for name, cells := range map[string][]schema.Cell{"eleven cells": elevenCells(), "two cells": elevenCells()[:2]} {
		b.Run(name, func(b *testing.B) {
			message, block := answer(b, layout, cells)
			r := reader{merge: merge{layout: layout}}
			for n := 0; n < b.N; n += rowsOfATest {
				r.read(b, message, block)
			}
		})
	}
}
