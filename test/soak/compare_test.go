package soak

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"sluice/schema"
)

// rowsOf is a table with the given rows; a row with offset -1 is an error.
type rowsOf []schema.Row

var errScan = errors.New("the scan broke")

func (rows rowsOf) Scan(context.Context, schema.Scan) iter.Seq2[*schema.Row, error] {
	return func(yield func(*schema.Row, error) bool) {
		for i := range rows {
			if rows[i].Offset < 0 {
				yield(nil, errScan)
				return
			}
			if !yield(&rows[i], nil) {
				return
			}
		}
	}
}

func row(offset int64, status string) schema.Row {
	return schema.Row{
		Key: []byte{0, byte(offset)}, Time: 5, Stream: 1, Offset: offset,
		Cells: []schema.Cell{{Qualifier: "status", Value: []byte(status)}},
	}
}

func TestDifferencesAreFound(t *testing.T) {
	want := rowsOf{row(1, "200"), row(2, "404"), row(3, "200")}
	fewer := row(2, "404")
	fewer.Cells = nil
	otherKey := row(2, "404")
	otherKey.Key = []byte{1, 2}
	for name, c := range map[string]struct {
		got  rowsOf
		text string // "": no difference
	}{
		"the same":           {rowsOf{row(1, "200"), row(2, "404"), row(3, "200")}, ""},
		"one is missing":     {rowsOf{row(1, "200"), row(3, "200")}, "1 rows differ: missing: key 0002"},
		"the last is":        {rowsOf{row(1, "200"), row(2, "404")}, "1 rows differ: missing: key 0003"},
		"all are":            {nil, "3 rows differ"},
		"one is there twice": {rowsOf{row(1, "200"), row(2, "404"), row(2, "404"), row(3, "200")}, "1 rows differ: not of the log, or twice: key 0002"},
		"one too many":       {rowsOf{row(1, "200"), row(2, "404"), row(3, "200"), row(4, "200")}, "not of the log, or twice: key 0004"},
		"another cell":       {rowsOf{row(1, "200"), row(2, "403"), row(3, "200")}, "1 rows differ: other cells: key 0002"},
		"a cell less":        {rowsOf{row(1, "200"), fewer, row(3, "200")}, "1 rows differ: other cells"},
		"another key":        {rowsOf{row(1, "200"), otherKey, row(3, "200")}, "1 rows differ: other cells"},
		"an error":           {rowsOf{row(1, "200"), row(-1, "")}, "the scan broke"},
	} {
		rows, err := sameLines(t.Context(), want, c.got, schema.Scan{})
		if c.text == "" {
			if err != nil || rows != 3 {
				t.Errorf("%s: %d rows, %v", name, rows, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		}
	}
}
