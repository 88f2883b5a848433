package tabletest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"sluice/schema"
)

// times returns moments at, just before and just after rows, and far from all.
func (f *fixture) times() []int64 {
	var all []int64
	for _, r := range f.want {
		all = append(all, r.time)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	first, middle, last := all[0], all[len(all)/2], all[len(all)-1]
	return []int64{-5, 0, first, first + 1, middle - 1, middle, middle + 1, last, last + 1}
}

func rangeEnds(_ *testing.T, f *fixture) {
	f.hosts()
	for _, from := range f.times() {
		for _, to := range f.times() {
			f.expect(schema.Scan{From: from, To: to})
		}
	}
}

func reverse(_ *testing.T, f *fixture) {
	f.hosts()
	for _, from := range f.times()[:5] {
		for _, to := range f.times()[4:] {
			f.expect(schema.Scan{From: from, To: to, Reverse: true, Limit: 50})
		}
	}
	f.expect(schema.Scan{Reverse: true})
}

func limit(t *testing.T, f *fixture) {
	logs := f.hosts()
	for _, n := range []int{1, 7, 100, 839, 840, 841, 5000} {
		f.expect(schema.Scan{Limit: n})
		f.expect(schema.Scan{Limit: n, Reverse: true})
		if got := f.expect(schema.Scan{Limit: n, Streams: []schema.StreamID{logs[1].Stream.ID}}); got != min(n, 280) {
			t.Errorf("%d rows of one stream, limit %d", got, n)
		}
	}
}

// limitWithFilter requires the same of tables that use the filter and of those that ignore it: the
// selected rows are among the result.
func limitWithFilter(t *testing.T, f *fixture) {
	f.hosts()
	var rows schema.Rows
	f.one(&rows, &NewLog("web09", 9).Stream, 0, firstTime+1e15, "the one line", nil)
	f.put(&rows)
	found := 0
	filter := &schema.Filter{Op: schema.Equal, Field: "logbody", Kind: schema.Text, Text: "the one line"}
	for r, err := range f.Scan(t.Context(), schema.Scan{Filter: filter, Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if line, _ := r.Cell("logbody"); string(line) == "the one line" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("found %d times", found)
	}
}

func streams(t *testing.T, f *fixture) {
	logs := f.hosts()
	a, b := logs[0].Stream.ID, logs[2].Stream.ID
	for ids, want := range map[*[]schema.StreamID]int{
		{a}: 280, {b, a}: 560, {}: 0, {a, a}: 280, {a + 1}: 0, {a + 1, b}: 280,
	} {
		for _, reverse := range []bool{false, true} {
			if n := f.expect(schema.Scan{Streams: *ids, Reverse: reverse}); n != want {
				t.Errorf("streams %v: %d rows, want %d", *ids, n, want)
			}
		}
	}
}

func undated(t *testing.T, f *fixture) {
	logs := f.hosts()
	var rows schema.Rows
	for i, log := range logs {
		f.one(&rows, &log.Stream, int64(i)<<17, 0, "no time", nil)
		f.one(&rows, &log.Stream, int64(i)<<17+8, 0, "no time either", nil)
	}
	f.put(&rows)
	if n := f.expect(schema.Scan{To: 1}); n != 6 {
		t.Errorf("%d undated rows", n)
	}
	if n := f.expect(schema.Scan{From: 1}); n != 840 {
		t.Errorf("%d dated rows", n)
	}
	f.expect(schema.Scan{})
	f.expect(schema.Scan{Reverse: true})
}

func ties(_ *testing.T, f *fixture) {
	var rows schema.Rows
	for offset := int64(0); offset < 40<<16; offset += 40_001 { // over all the salts
		for _, host := range []string{"web01", "web02", "web03"} {
			f.one(&rows, &NewLog(host, 1).Stream, offset, firstTime+offset%2, "same time", nil)
		}
	}
	f.put(&rows)
	for _, s := range []schema.Scan{{}, {Reverse: true}, {From: firstTime + 1}, {To: firstTime + 1}, {Limit: 50}} {
		f.expect(s)
	}
}

func stopEarly(t *testing.T, f *fixture) {
	f.hosts()
	for _, s := range []schema.Scan{{}, {Reverse: true}} {
		for range 20 {
			n := 0
			for _, err := range f.Scan(t.Context(), s) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == 3 {
					break
				}
			}
		}
	}
	f.expect(schema.Scan{})
}

func endedContext(t *testing.T, f *fixture) {
	f.hosts()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, ends := 0, 0
	for _, err := range f.Scan(ctx, schema.Scan{}) {
		if err == nil {
			rows++
			cancel()
			continue
		}
		if ends++; !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
	}
	// A table may have fetched the next rows already.
	if ends != 1 || rows == 840 {
		t.Errorf("%d rows and %d errors after the context ended", rows, ends)
	}
	var more schema.Rows
	f.lines(&more, NewLog("web04", 4), 1)
	if err := f.Put(ctx, &more); !errors.Is(err, context.Canceled) {
		t.Errorf("put with an ended context: %v", err)
	}
	f.expect(schema.Scan{})
}

func putWhileScanning(t *testing.T, f *fixture) {
	f.hosts()
	before := f.model(schema.Scan{})
	late := NewLog("web04", 4)
	i := 0
	for r, err := range f.Scan(t.Context(), schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		got := text(r.Key, r.Time, r.Cells)
		if i < len(before) && got == before[i] {
			i++
		} else if r.Stream != late.Stream.ID {
			t.Fatalf("row %d is %.200s", i, got)
		}
		if i%100 == 50 {
			var rows schema.Rows
			f.lines(&rows, late, 5)
			f.put(&rows)
			f.flush()
		}
	}
	if i != len(before) {
		t.Errorf("%d of %d rows", i, len(before))
	}
	f.expect(schema.Scan{})
}
