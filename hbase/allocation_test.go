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

// elevenCells is a row as most are.
func elevenCells() []schema.Cell {
	cells := []schema.Cell{{Qualifier: "logbody", Value: make([]byte, 226)}}
	for _, q := range []string{"agent", "bytes", "client", "host", "method", "path", "protocol", "referer", "status", "time"} {
		cells = append(cells, schema.Cell{Qualifier: q, Value: make([]byte, 8)})
	}
	return cells
}

const rowsOfATest = 1000

// What is allocated on the way from rows to durable ones is for requests, not for
// their rows and cells.
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

// answer is a scan's answer of rowsOfATest rows, and the block that is made of it.
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

// reader reads one answer as a scan does.
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

// Rows that are read point into the answer that they came in.
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
	// For the answer: its block, the list of its rows, and how many cells each has.
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

// BenchmarkReadRows reads rows out of an answer; an operation is a row.
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
