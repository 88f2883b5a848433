package columnar_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// scans returns different scans of a tree: all rows, none, time ranges that end within the data,
// one stream, a limit.
func (x *tree) scans(logs []*testLog) []schema.Scan {
	mid, last := firstTime.UnixNano()+int64(500e9), x.expected(schema.Scan{Reverse: true, Limit: 1})[0].time
	one := []schema.StreamID{logs[1].stream.ID}
	return []schema.Scan{
		{}, {Reverse: true}, {From: 1}, {To: 1}, {From: mid}, {To: mid}, {From: mid, To: mid + 60e9}, {From: mid, To: mid + 60e9, Reverse: true},
		{From: last}, {From: last + 1}, {Streams: one}, {Streams: one, From: mid, Reverse: true}, {Streams: []schema.StreamID{}},
		{Streams: []schema.StreamID{logs[0].stream.ID, logs[2].stream.ID, 99}}, {Limit: 10}, {Limit: 10, Reverse: true}, {Limit: 1 << 20},
	}
}

func TestEveryLineIsThereOnceInTheOrderOfTime(t *testing.T) {
	x := newTree(t)
	logs := x.fill(4, 3, 400)
	for _, scan := range x.scans(logs) {
		x.expect(scan)
	}
}

func TestATableWithoutFilesHasNoRows(t *testing.T) {
	x := newTree(t)
	x.expect(schema.Scan{})
	s := x.snapshot(columnar.Bounds{})
	defer s.Close()
	if list, err := s.Streams(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestStreamsOfTheTableAreThoseOfItsFiles(t *testing.T) {
	x := newTree(t)
	logs := x.fill(2, 2, 100)
	s := x.snapshot(columnar.Bounds{})
	defer s.Close()
	list, err := s.Streams(t.Context())
	if err != nil || len(list) != len(logs) {
		t.Fatalf("%d streams, %v", len(list), err)
	}
	for _, e := range list {
		for _, l := range logs {
			if l.stream.ID != e.ID {
				continue
			}
			lines := x.expected(schema.Scan{From: 1, Streams: []schema.StreamID{e.ID}})
			if e.Stream != l.stream || e.Stored != l.offset || e.Lines != int64(len(x.expected(schema.Scan{Streams: []schema.StreamID{e.ID}}))) ||
				e.First != lines[0].time || e.Last != lines[len(lines)-1].time || e.ParseErrors == 0 {
				t.Errorf("%+v", e)
			}
		}
	}
	only := x.snapshot(columnar.Bounds{Hosts: []string{"web02"}})
	defer only.Close()
	if list, err := only.Streams(t.Context()); err != nil || len(list) != 1 || list[0].Host != "web02" {
		t.Errorf("of web02: %v, %v", list, err)
	}
}

func TestAScanEndsWithItsContextAndItsConsumer(t *testing.T) {
	x := newTree(t)
	x.fill(2, 3, 400)
	s := x.snapshot(columnar.Bounds{})
	defer s.Close()
	for range s.Scan(t.Context(), schema.Scan{}) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, ends := 0, 0
	for _, err := range s.Scan(ctx, schema.Scan{}) {
		if err == nil {
			rows++
			cancel()
			continue
		}
		if ends++; !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
	}
	if ends != 1 || rows == len(x.want) {
		t.Errorf("%d rows and %d errors after the context ended", rows, ends)
	}
	goleak.VerifyNone(t)
	err := s.Batches(ctx, columnar.Want{}, func(int, *columnar.Batch, columnar.Selection) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("batches: %v", err)
	}
	stop := errors.New("stop")
	if err := s.Batches(t.Context(), columnar.Want{}, func(int, *columnar.Batch, columnar.Selection) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("batches: %v, want the consumer's error", err)
	}
}

func TestMatchDecidesWhichLinesAreMade(t *testing.T) {
	x := newTree(t)
	logs := x.fill(2, 3, 400)
	s := x.snapshot(columnar.Bounds{})
	defer s.Close()
	match := func(_ int, b *columnar.Batch, rows columnar.Selection) columnar.Selection {
		selected := make(columnar.Selection, (b.Rows+63)/64)
		status := b.Column("status")
		for i := range b.Rows {
			if rows.Has(i) && status != nil && !status.Null(i) && status.Ints[i] == 500 {
				selected[i>>6] |= 1 << (i & 63)
			}
		}
		return selected
	}
	formats := map[schema.StreamID]*parse.Format{}
	for _, l := range logs {
		formats[l.stream.ID] = l.format
	}
	var want []line
	for _, l := range x.expected(schema.Scan{}) {
		var rec schema.Record
		formats[l.stream].Parse([]byte(l.text), &rec)
		if i := rec.Index("status"); !rec.Null(i) && rec.Values[i].Num == 500 {
			want = append(want, l)
		}
	}
	var got []line
	for l, err := range s.Lines(t.Context(), columnar.Want{Columns: []string{"status"}}, false, match) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line{l.Time, l.Stream.ID, l.Offset, string(l.Bytes)})
	}
	x.same(got, want, "status 500")
}

// The column of the filter is read once for each row group; other columns only for pages with
// matching rows, in both orders.
func TestRowsThatMatchAreFoundOnEveryPage(t *testing.T) {
	x := newTree(t)
	x.groupRows = columnar.RowGroupRows
	l := newTestLog(t, "web01", 1, "combined")
	var batches []schema.Batch
	for range 5 {
		b, want := l.batch(8000)
		batches, x.want = append(batches, b), append(x.want, want...)
	}
	x.storeBatches("web01", batches...)
	s := x.snapshot(columnar.Bounds{})
	defer s.Close()
	for _, matches := range []func(offset int64) bool{
		func(offset int64) bool { return offset%997 == 0 },                         // on all pages
		func(offset int64) bool { return offset > l.offset*9/10 && offset%3 == 0 }, // on the last page
		func(offset int64) bool { return offset < l.offset/2 },
		func(int64) bool { return false },
	} {
		match := func(_ int, b *columnar.Batch, rows columnar.Selection) columnar.Selection {
			selected := make(columnar.Selection, (b.Rows+63)/64)
			for i, offset := range b.Column(schema.OffsetField).Ints {
				if rows.Has(i) && matches(offset) {
					selected[i>>6] |= 1 << (i & 63)
				}
			}
			return selected
		}
		from := firstTime.UnixNano() + 5000e9
		for _, scan := range []schema.Scan{{}, {Reverse: true}, {From: from, To: from + 9000e9}, {From: from, Reverse: true}} {
			var want, got []line
			for _, l := range x.expected(scan) {
				if matches(l.offset) {
					want = append(want, l)
				}
			}
			w := columnar.Want{From: scan.From, To: scan.To, Columns: []string{schema.OffsetField}}
			for l, err := range s.Lines(t.Context(), w, scan.Reverse, match) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, line{l.Time, l.Stream.ID, l.Offset, string(l.Bytes)})
			}
			x.same(got, want, "rows that match")
		}
	}
}

func TestColumnsAreReadWhenTheyAreNeeded(t *testing.T) {
	x := newTree(t)
	x.fill(1, 1, 300)
	s := x.snapshot(columnar.Bounds{})
	defer s.Close()
	escaped := 0
	err := s.InTurn(t.Context(), columnar.Want{Columns: []string{"path"}}, func(b *columnar.Batch, rows columnar.Selection) error {
		before := slices.Clone(b.Column("path").Codes)
		if err := b.Need(schema.LogbodyField, schema.StreamField, schema.OffsetField, "path", "no such column"); err != nil {
			return err
		}
		if !slices.Equal(b.Column("path").Codes, before) || len(b.Columns()) != 4 {
			t.Errorf("%d columns after four were needed", len(b.Columns()))
		}
		lines := b.Column(schema.LogbodyField)
		for _, sub := range []string{"\xff", "line", "\x00", "\n", "/1"} {
			for _, c := range []*columnar.Column{lines, b.Column("path")} {
				var want []int
				for i, v := range c.Dict {
					if bytes.Contains(v, []byte(sub)) {
						want = append(want, i)
					}
				}
				if got := slices.Collect(c.Containing([]byte(sub))); !slices.Equal(got, want) {
					t.Errorf("%q is in the values %v of %s, want %v", sub, got, c.Name, want)
				}
				escaped += len(want)
			}
		}
		var e schema.Entry
		for i, code := range lines.Codes {
			if code < 0 {
				continue
			}
			if err := b.Entry(i, &e); err != nil || !bytes.Equal(e.Record.Line, lines.Dict[code]) {
				t.Errorf("row %d is %q, %v; want %q", i, e.Record.Line, err, lines.Dict[code])
			}
		}
		return nil
	})
	if err != nil || escaped == 0 {
		t.Errorf("%d values were found, %v", escaped, err)
	}
}
