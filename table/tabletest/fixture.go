package tabletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/schema"
)

// fixture is a table and its expected content.
type fixture struct {
	Table
	t      *testing.T
	layout schema.Layout
	want   map[string]row // by key
}

// row is a row as text, for comparison.
type row struct {
	time, offset int64
	stream       schema.StreamID
	text         string
}

func (r row) order() schema.RowOrder {
	return schema.RowOrder{Time: r.time, Stream: r.stream, Offset: r.offset}
}

// text formats all of a row.
func text(key []byte, time int64, cells []schema.Cell) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%x at %d:", key, time)
	for _, c := range cells {
		fmt.Fprintf(&b, " %s=%q", c.Qualifier, c.Value)
	}
	return b.String()
}

// put puts the rows, and adds them to the expected content.
func (f *fixture) put(rows *schema.Rows) {
	f.t.Helper()
	for i := range rows.Len() {
		parsed := schema.Row{Key: rows.Key(i)}
		if err := f.layout.ParseKey(&parsed); err != nil {
			f.t.Fatal(err)
		}
		f.want[string(rows.Key(i))] = row{parsed.Time, parsed.Offset, parsed.Stream, text(rows.Key(i), rows.Time(i), rows.Cells(i))}
	}
	if err := f.Put(f.t.Context(), rows); err != nil {
		f.t.Fatalf("put: %v", err)
	}
}

func (f *fixture) flush() {
	f.t.Helper()
	if err := f.Flush(f.t.Context()); err != nil {
		f.t.Fatalf("flush: %v", err)
	}
}

// scan returns the result of the table.
func (f *fixture) scan(s schema.Scan) []string {
	f.t.Helper()
	var got []string
	for r, err := range f.Scan(f.t.Context(), s) {
		if err != nil {
			f.t.Fatalf("scan %+v: %v", s, err)
		}
		parsed := schema.Row{Key: r.Key}
		if err := f.layout.ParseKey(&parsed); err != nil {
			f.t.Fatal(err)
		}
		if r.Time != parsed.Time || r.Stream != parsed.Stream || r.Offset != parsed.Offset {
			f.t.Fatalf("row %x says time %d, stream %s, offset %d", r.Key, r.Time, r.Stream, r.Offset)
		}
		got = append(got, text(r.Key, r.Time, r.Cells))
	}
	return got
}

// model returns the expected result.
func (f *fixture) model(s schema.Scan) []string {
	var rows []row
	for _, r := range f.want {
		if r.time >= s.From && (s.To <= 0 || r.time < s.To) && (s.Streams == nil || slices.Contains(s.Streams, r.stream)) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return a.order().Compare(b.order())
	})
	if s.Reverse {
		slices.Reverse(rows)
	}
	var texts []string
	for _, r := range rows {
		texts = append(texts, r.text)
	}
	if s.Limit > 0 && s.Limit < len(texts) {
		texts = texts[:s.Limit]
	}
	return texts
}

// expect compares the two, and returns the number of rows.
func (f *fixture) expect(s schema.Scan) int {
	f.t.Helper()
	got, want := f.scan(s), f.model(s)
	if len(got) != len(want) {
		f.t.Errorf("scan %+v: %d rows, want %d", s, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			f.t.Fatalf("scan %+v: row %d is\n%.300s\nwant\n%.300s", s, i, got[i], want[i])
		}
	}
	return len(got)
}

// lines appends the log's next n lines to rows, each with its own memory.
func (f *fixture) lines(rows *schema.Rows, log *Log, n int) {
	e := f.layout.NewRowEncoder(&log.Stream, Fields)
	for range n {
		rec, offset := log.Next()
		rec.Line = slices.Clone(rec.Line)
		e.Append(rows, offset, rec)
	}
}

// hosts puts lines of several hosts in a realistic order, half of them flushed.
func (f *fixture) hosts() []*Log {
	f.t.Helper()
	logs := []*Log{NewLog("web01", 1), NewLog("web02", 2), NewLog("web03", 3)}
	for _, log := range logs {
		log.Offset = 1 << 20
	}
	for i := range 12 {
		var rows schema.Rows
		f.lines(&rows, logs[i%len(logs)], 70)
		f.put(&rows)
		if i == 6 {
			f.flush()
		}
	}
	return logs
}

// one appends a row with the given cells' worth of record: a line, and its fields
// by name.
func (f *fixture) one(rows *schema.Rows, stream *schema.Stream, offset, time int64, line string, fields map[string]string) {
	f.t.Helper()
	var rec schema.Record
	rec.Reset([]byte(line), Fields)
	rec.Time, rec.Dated = time, time != 0
	for name, value := range fields {
		at := strings.Index(line, value)
		if at < 0 {
			f.t.Fatalf("%q is not in the line", value)
		}
		rec.Values[rec.Index(name)] = schema.Value{Start: uint32(at), End: uint32(at + len(value)), State: schema.InLine}
	}
	f.layout.NewRowEncoder(stream, Fields).Append(rows, offset, &rec)
}
