package embedded

import (
	"strings"
	"testing"

	"sluice/schema"
)

func TestMoreRowsThanMemoryHoldsAreAllThere(t *testing.T) {
	table := open(t, t.TempDir(), Options{})
	layout := table.Layout()
	stream := &schema.Stream{ID: 7, Host: "web01"}
	e := layout.NewRowEncoder(stream, nil)
	line := []byte(strings.Repeat("98 KB ", 98<<10/6))
	var rows schema.Rows
	const blocks, each = 50, 20 // 98 MB, four rotations
	for n := range int64(blocks * each) {
		rec := schema.Record{Line: line, Time: 1e18 + n}
		e.Append(&rows, n*int64(len(line)+1), &rec)
		if rows.Len() == each {
			if err := table.Put(t.Context(), &rows); err != nil {
				t.Fatal(err)
			}
			rows.Reset()
		}
	}
	if held := table.db.Metrics().MemTable.Size; held > 3*memTableBytes {
		t.Errorf("%d bytes are held in memory", held)
	}
	if err := table.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for r, err := range table.Scan(t.Context(), schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := r.Cell(schema.LogbodyField); r.Time != 1e18+n || len(body) != len(line) {
			t.Fatalf("row %d is of time %d and %d bytes", n, r.Time, len(body))
		}
		n++
	}
	if n != blocks*each {
		t.Errorf("%d rows", n)
	}
}
