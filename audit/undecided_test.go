package audit

import (
	"bytes"
	"strings"
	"testing"

	"sluice/parse"
	"sluice/schema"
)

// slowPattern backtracks over the x of a line before it reads the rest of it.
const slowPattern = `pattern:\[(?P<time>[^\]]+)\] (?:(\S+)+(?= )y|(?P<rest>.*))$`

// slowLine is a line that exceeds the time limit of a run, but not a much longer one.
func slowLine(t *testing.T, f *parse.Format) string {
	t.Helper()
	var rec schema.Record
	for n := 2; n < 60; n++ {
		line := "[02/Sep/2026:10:00:20 +0200] " + strings.Repeat("x", n)
		if f.Parse([]byte(line), &rec); rec.Err.Set() {
			return line
		}
	}
	t.Fatal("each line is decided")
	return ""
}

// reading appends the row of a line for one of its two results.
func reading(t *testing.T, w *world, rows *schema.Rows, s *worldStream, line int, f *parse.Format, decided bool) {
	t.Helper()
	encoder := w.table.Layout().NewRowEncoder(&s.StreamEntry.Stream, f.Fields())
	var rec schema.Record
	found := f.Readings(bytes.TrimSuffix(s.lines[line], []byte("\n")), &rec, func(r *schema.Record) bool { return r.Err.Set() != decided })
	if !found {
		t.Fatalf("line %d cannot be read so", line)
	}
	encoder.Append(rows, s.start[line], &rec)
}

func TestAuditAcceptsEitherResultOfAPatternThatMayTimeOut(t *testing.T) {
	f, err := parse.Lookup(slowPattern, nil)
	if err != nil {
		t.Fatal(err)
	}
	quick, slow := "[02/Sep/2026:10:00:21 +0200] quick", slowLine(t, f)
	for _, c := range []struct {
		name             string
		undecided, dated []int // lines of which the table has that row
		want             string
	}{
		{"decided now", []int{70, 71}, nil, ""},
		{"decided then", nil, []int{70, 71}, ""},
		{"both ways", []int{71}, []int{70}, ""},
		{"no row", nil, []int{70}, "row missing 1"},
		{"a double of one that is decided", []int{71}, []int{70, 71}, "row of no line 1"},
		{"a double of one that is not", []int{70, 71}, []int{70}, "row of no line 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorldOf(t, slowPattern, map[int]string{70: slow, 71: quick})
			s := w.streams[0]
			w.drop = func(x *worldStream, line int) bool { return x == s && (line == 70 || line == 71) }
			w.fillTable()
			var rows schema.Rows
			for _, line := range c.undecided {
				reading(t, w, &rows, s, line, f, false)
			}
			for _, line := range c.dated {
				reading(t, w, &rows, s, line, f, true)
			}
			w.put(&rows)
			if got := kindsOf(w.audit()); got != c.want {
				t.Errorf("%s, want %s\n%s", got, c.want, named(w.audit()))
			}
		})
	}
}
