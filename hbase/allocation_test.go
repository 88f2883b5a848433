package hbase

import (
	"bytes"
	"context"
	"testing"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/hbase/wire"
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
		result = wire.AppendBytes(result, 1, wire.AppendUint(nil, 1, uint64(i)))
	}
	message := wire.AppendBytes(nil, 1, result)
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

// Rows that are read point into the answer that they came in.
func TestReadingRowsAllocatesNothingForThemAndTheirCells(t *testing.T) {
	layout, err := schema.NewLayout(schema.LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	var b batch
	var counts []byte
	cells := elevenCells()
	for i := range rowsOfATest {
		b.appendRow("l", layout.AppendKey(nil, 1e18+int64(i), 1, 0), 1e18, cells)
		counts = append(counts, byte(len(cells)))
	}
	message := wire.AppendBool(wire.AppendBytes(nil, 1, counts), 8, true)
	var row schema.Row
	var n names
	read := func() {
		s, err := parseScan(message)
		if err != nil {
			t.Fatal(err)
		}
		r := &rangeScan{order: &scanOrder{}, region: &region.Region{}}
		whole, err := r.block(&rpc.Response{Cells: b.cells}, &s)
		if err != nil {
			t.Fatal(err)
		}
		whole.end = true
		blocks := make(chan *block, 1)
		blocks <- whole
		m := merge{layout: layout}
		c := &cursor{blocks: blocks}
		for rows := 0; ; rows++ {
			more, err := m.advance(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				if rows != rowsOfATest {
					t.Fatalf("%d rows", rows)
				}
				return
			}
			if err := c.read(&row, &n); err != nil || len(row.Cells) != len(cells) || !bytes.Equal(row.Cells[0].Value, cells[0].Value) {
				t.Fatalf("%+v, %v", row, err)
			}
		}
	}
	read()
	// For the answer: its block, the list of its rows, and how many cells each has.
	if n := testing.AllocsPerRun(100, read); n > 30 {
		t.Errorf("%v allocations for %d rows of %d cells", n, rowsOfATest, len(cells))
	}
}
