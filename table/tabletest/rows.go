package tabletest

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"sluice/schema"
)

func newTable(t *testing.T, f *fixture) {
	if !f.Layout().Equal(f.layout) {
		t.Errorf("layout %+v, want %+v", f.Layout(), f.layout)
	}
	f.flush()
	f.expect(schema.Scan{})
	if entries, err := f.Streams(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("streams of a new table: %v, %v", entries, err)
	}
}

func putIsScanned(t *testing.T, f *fixture) {
	f.hosts()
	if n := f.expect(schema.Scan{}); n != 12*70 {
		t.Errorf("%d rows", n)
	}
	f.flush()
	f.expect(schema.Scan{})
}

func putAgain(t *testing.T, f *fixture) {
	logs := []*Log{NewLog("web01", 1), NewLog("web01", 1), NewLog("web01", 1)}
	for _, log := range logs {
		var rows schema.Rows
		f.lines(&rows, log, 200)
		f.put(&rows)
		f.flush()
		f.put(&rows)
	}
	if n := f.expect(schema.Scan{}); n != 200 {
		t.Errorf("%d rows, want 200", n)
	}
}

func emptyRows(t *testing.T, f *fixture) {
	var rows schema.Rows
	f.put(&rows)
	f.flush()
	f.lines(&rows, NewLog("web01", 1), 3)
	f.put(&rows)
	rows.Reset()
	f.put(&rows)
	f.flush()
	if n := f.expect(schema.Scan{}); n != 3 {
		t.Errorf("%d rows", n)
	}
}

func putCopies(_ *testing.T, f *fixture) {
	log := NewLog("web01", 1)
	var rows schema.Rows
	e := f.layout.NewRowEncoder(&log.Stream, Fields)
	rec, offset := log.Next()
	e.Append(&rows, offset, rec)
	f.put(&rows)
	for i := range rec.Line {
		rec.Line[i] = '!'
	}
	for i := range rows.Key(0) {
		rows.Key(0)[i] = 0
	}
	f.expect(schema.Scan{})
}

func nullAndEmpty(t *testing.T, f *fixture) {
	stream := &NewLog("web01", 1).Stream
	var rows schema.Rows
	f.one(&rows, stream, 0, firstTime, `- - "" -`, map[string]string{"user": "", "agent": ""})
	f.one(&rows, stream, 9, firstTime, "", nil)
	f.put(&rows)
	f.flush()
	f.expect(schema.Scan{})
	if len(f.layout.Cells) > 0 || f.layout.Name == schema.LayoutPacked {
		return
	}
	want := map[string]bool{"user": true, "agent": true, "client": false, "referer": false, "logbody": true}
	for r, err := range f.Scan(t.Context(), schema.Scan{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		for name, has := range want {
			if value, ok := r.Cell(name); ok != has || (name == "user" && len(value) != 0) {
				t.Errorf("cell %s: %q, %v", name, value, ok)
			}
		}
	}
}

func anyBytes(_ *testing.T, f *fixture) {
	var every [256]byte
	for i := range every {
		every[i] = byte(i)
	}
	stream := &NewLog("web01", 1).Stream
	var rows schema.Rows
	f.one(&rows, stream, 0, firstTime, string(every[:]), map[string]string{"path": string(every[128:]), "agent": "\x00\x01"})
	f.one(&rows, stream, 257, firstTime, "\xff\xfe\x00\r", map[string]string{"path": "\xff"})
	f.put(&rows)
	f.flush()
	f.expect(schema.Scan{})
}

func longLine(_ *testing.T, f *fixture) {
	stream := &NewLog("web01", 1).Stream
	var rows schema.Rows
	long := "GET " + strings.Repeat("/a%20b", 98<<10/6) + " HTTP/1.1"
	f.one(&rows, stream, 0, firstTime, long, map[string]string{"path": long[4 : len(long)-9], "method": "GET"})
	f.one(&rows, stream, int64(len(long))+1, firstTime, "GET / HTTP/1.1", map[string]string{"method": "GET"})
	f.put(&rows)
	f.expect(schema.Scan{})
	f.flush()
	f.expect(schema.Scan{Reverse: true})
}

func extremes(_ *testing.T, f *fixture) {
	stream := &schema.Stream{ID: math.MaxUint64, Host: "web01"}
	var rows schema.Rows
	f.one(&rows, stream, schema.MaxOffset, math.MaxInt64, "late", nil)
	f.one(&rows, stream, schema.MaxOffset, 0, "undated", nil)
	f.one(&rows, &schema.Stream{ID: 0}, 0, math.MaxInt64, "first", nil)
	f.put(&rows)
	f.expect(schema.Scan{})
	f.expect(schema.Scan{From: 1})
	f.expect(schema.Scan{From: math.MaxInt64})
	f.expect(schema.Scan{To: math.MaxInt64})
}

func directory(t *testing.T, f *fixture) {
	logs := f.hosts()
	var rows schema.Rows
	var want []schema.StreamEntry
	var err error
	for i, log := range logs {
		e := schema.StreamEntry{Stream: log.Stream, Labels: map[string]string{"site": "shop"}, First: firstTime, Last: firstTime + int64(i), Stored: log.Offset, Lines: 280}
		if e.Schema, err = f.layout.NewRowEncoder(&log.Stream, Fields).Schema(); err != nil {
			t.Fatal(err)
		}
		want = append(want, e)
		old := e
		old.Lines, old.Stored = 1, 2
		f.layout.AppendStream(&rows, &old)
	}
	for range 2 { // the second time with changed rows
		if err := f.Put(t.Context(), &rows); err != nil {
			t.Fatal(err)
		}
		f.flush()
		rows.Reset()
		for i := range want {
			f.layout.AppendStream(&rows, &want[i])
		}
	}
	var entries []schema.StreamEntry
	if entries, err = f.Streams(t.Context()); err != nil || len(entries) != len(want) {
		t.Fatalf("%d streams, %v", len(entries), err)
	}
	for i, e := range entries {
		if i > 0 && entries[i-1].ID >= e.ID {
			t.Errorf("not in the order of ids: %s after %s", e.ID, entries[i-1].ID)
		}
		for _, w := range want {
			if w.ID == e.ID && !reflect.DeepEqual(w, e) {
				t.Errorf("%+v, want %+v", e, w)
			}
		}
	}
	for _, s := range []schema.Scan{{}, {Reverse: true}, {To: 1}, {From: math.MaxInt64}} {
		f.expect(s)
	}
}
