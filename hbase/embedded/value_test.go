package embedded

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sluice/hbase/tabletest"
	"sluice/schema"
)

// logRows are rows of both layouts and of the stream directory.
func logRows(t testing.TB, n int) *schema.Rows {
	t.Helper()
	var rows schema.Rows
	for _, name := range []string{schema.LayoutTyped, schema.LayoutPacked, schema.LayoutFlume} {
		layout, err := schema.NewLayout(name)
		if err != nil {
			t.Fatal(err)
		}
		log := tabletest.NewLog("web01", 1)
		e := layout.NewRowEncoder(&log.Stream, tabletest.Fields)
		for range n {
			rec, offset := log.Next()
			rec.Line = slices.Clone(rec.Line)
			e.Append(&rows, offset, rec)
		}
		layout.AppendStream(&rows, &schema.StreamEntry{Stream: log.Stream, Lines: 9})
	}
	return &rows
}

func TestCellsComeBackFromAValue(t *testing.T) {
	rows := logRows(t, 20)
	cases := [][]schema.Cell{
		nil,
		{{Qualifier: "logbody", Value: []byte{}}},
		{{Qualifier: "logbody", Value: []byte("a b")}, {Qualifier: "x", Value: []byte("b"), Span: 3}, {Qualifier: "y", Value: []byte{}, Span: 4}},
		{{Qualifier: "", Value: []byte("no name")}},
		{{Qualifier: strings.Repeat("q", 300), Value: bytes.Repeat([]byte{0xff}, 200_000)}},
	}
	for i := range rows.Len() {
		cases = append(cases, rows.Cells(i))
	}
	var d decoder
	row := schema.Row{Key: []byte("key")}
	for _, cells := range cases {
		if err := d.decode(&row, appendValue(nil, cells)); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(row.Cells, cells, func(a, b schema.Cell) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("got %v, want %v", row.Cells, cells)
		}
	}
}

func TestASpanOutsideOfTheLineIsStoredAsBytes(t *testing.T) {
	cells := []schema.Cell{{Qualifier: "logbody", Value: []byte("short")}, {Qualifier: "x", Value: []byte("rt!"), Span: 4}}
	var d decoder
	var row schema.Row
	if err := d.decode(&row, appendValue(nil, cells)); err != nil {
		t.Fatal(err)
	}
	if value, _ := row.Cell("x"); string(value) != "rt!" {
		t.Errorf("%q", value)
	}
}

func TestADamagedValueNamesItsRow(t *testing.T) {
	for name, value := range map[string]string{
		"nothing at all":             "",
		"another version":            "\x02\x00",
		"no length of the line":      "\x01",
		"a line beyond the end":      "\x01\x05ab",
		"a length that never ends":   "\x01" + strings.Repeat("\xff", 12),
		"a qualifier beyond":         "\x01\x00\x7f",
		"bytes beyond the end":       "\x01\x00\x04x\x09a",
		"a place beyond the line":    "\x01\x03ab\x05x\x01\x02",
		"a start beyond the line":    "\x01\x03ab\x05x\x03\x00",
		"a place that wraps around":  "\x01\x03ab\x05x\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a line where there is none": "\x01\x00\x06x",
		"a kind that is not known":   "\x01\x00\x07x",
	} {
		row := schema.Row{Key: []byte{0xab, 0xcd}}
		err := new(decoder).decode(&row, []byte(value))
		var damaged *ValueError
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "abcd") || len(row.Cells) != 0 {
			t.Errorf("%s: %v, %v", name, err, row.Cells)
		}
	}
}

// FuzzValue: whatever is read back can be written, and is the same.
func FuzzValue(f *testing.F) {
	rows := logRows(f, 5)
	for i := range rows.Len() {
		f.Add(appendValue(nil, rows.Cells(i)))
	}
	f.Add([]byte("\x01\x03ab\x05x\x01\x01\x06logbod\x1elogbody"))
	f.Fuzz(func(t *testing.T, value []byte) {
		var d decoder
		row := schema.Row{Key: []byte("key")}
		if err := d.decode(&row, value); err != nil {
			return
		}
		total := 0
		for _, c := range row.Cells {
			total += len(c.Qualifier)
			if len(c.Value) > len(value) {
				t.Fatalf("a cell of %d bytes in a value of %d", len(c.Value), len(value))
			}
		}
		if len(row.Cells) > len(value) || total > len(value) {
			t.Fatalf("%d cells, %d bytes of qualifiers in a value of %d", len(row.Cells), total, len(value))
		}
		if !unique(row.Cells) {
			return // not a row that can be put
		}
		again := schema.Row{Key: row.Key}
		if err := d.decode(&again, appendValue(nil, row.Cells)); err != nil {
			t.Fatal(err)
		}
		for i := range row.Cells {
			if again.Cells[i].Qualifier != row.Cells[i].Qualifier || !bytes.Equal(again.Cells[i].Value, row.Cells[i].Value) {
				t.Fatalf("%v, then %v", row.Cells, again.Cells)
			}
		}
	})
}

func unique(cells []schema.Cell) bool {
	seen := make(map[string]bool)
	for _, c := range cells {
		if seen[c.Qualifier] {
			return false
		}
		seen[c.Qualifier] = true
	}
	return true
}
