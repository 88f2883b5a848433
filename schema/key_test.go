package schema

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

func layouts(t *testing.T) []Layout {
	var out []Layout
	for _, name := range []string{LayoutTyped, LayoutFlume} {
		l, err := NewLayout(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// TestKeysSortByTimeAndAreDecoded: what a key is made of can be read from it, and
// within a salt keys sort by time, stream and offset.
func TestKeysSortByTimeAndAreDecoded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, l := range layouts(t) {
		var last Row
		for range 20000 {
			row := Row{Time: random.Int64N(1 << 62), Stream: StreamID(random.Uint64()), Offset: random.Int64N(MaxOffset + 1)}
			if random.IntN(2) == 0 {
				row.Time, row.Stream = last.Time, last.Stream
			}
			row.Key = l.AppendKey(nil, row.Time, row.Stream, row.Offset)
			back := Row{Key: row.Key}
			if err := l.ParseKey(&back); err != nil || back.Time != row.Time || back.Stream != row.Stream || back.Offset != row.Offset {
				t.Fatalf("%s: %+v came back as %+v, %v", l.Name, row, back, err)
			}
			if last.Key != nil && (l.Salts == 0 || row.Key[0] == last.Key[0]) {
				less := row.Time < last.Time || row.Time == last.Time && (row.Stream < last.Stream || row.Stream == last.Stream && row.Offset < last.Offset)
				if less != (bytes.Compare(row.Key, last.Key) < 0) {
					t.Fatalf("%s: %x and %x are in another order than %+v and %+v", l.Name, row.Key, last.Key, row, last)
				}
			}
			last = row
		}
	}
}

// TestKeyRangesHaveExactlyTheKeysOfTheirTimes: a key is in one of the ranges exactly when its
// time is within, and never in the directory's.
func TestKeyRangesHaveExactlyTheKeysOfTheirTimes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	in := func(r KeyRange, key []byte) bool {
		return bytes.Compare(key, r.Start) >= 0 && (r.Stop == nil || bytes.Compare(key, r.Stop) < 0)
	}
	for _, l := range layouts(t) {
		for range 3000 {
			from, to := random.Int64N(100), random.Int64N(120)-10
			for time := range int64(110) {
				key := l.AppendKey(nil, time, StreamID(random.Uint64()), random.Int64N(MaxOffset+1))
				found := 0
				for _, r := range l.Ranges(from, to) {
					if in(r, key) {
						found++
					}
				}
				want := 0
				if time >= from && (to <= 0 || time < to) {
					want = 1
				}
				if found != want {
					t.Fatalf("%s: time %d is in %d ranges of [%d,%d), want %d", l.Name, time, found, from, to, want)
				}
				if in(l.DirectoryRange(), key) {
					t.Fatalf("%s: %x is in the stream directory", l.Name, key)
				}
			}
		}
		var rows Rows
		l.AppendStream(&rows, &StreamEntry{Stream: Stream{ID: 77, Host: "web01", Path: "p", Format: "combined", Zone: "Europe/Berlin", Sparse: true}, Labels: map[string]string{"site": "shop", "tier": ""}, First: 1, Last: 2, Stored: 3, Lines: 4, ParseErrors: 5})
		if !in(l.DirectoryRange(), rows.Key(0)) {
			t.Errorf("%s: the directory's row %x is outside it", l.Name, rows.Key(0))
		}
		for _, r := range l.Ranges(0, 0) {
			if in(r, rows.Key(0)) {
				t.Errorf("%s: the directory's row is in the range of the lines", l.Name)
			}
		}
		back, err := l.ParseStream(&Row{Key: rows.Key(0), Cells: rows.Cells(0)})
		want := StreamEntry{Stream: Stream{ID: 77, Host: "web01", Path: "p", Format: "combined", Zone: "Europe/Berlin", Sparse: true}, Labels: map[string]string{"site": "shop", "tier": ""}, First: 1, Last: 2, Stored: 3, Lines: 4, ParseErrors: 5}
		if err != nil || !reflect.DeepEqual(back, want) {
			t.Errorf("%s: the entry came back as %+v, %v", l.Name, back, err)
		}
	}
}

// TestSpareKeysAreInNoScan: they are in no range of a scan or of the directory, and each is in
// another region.
func TestSpareKeysAreInNoScan(t *testing.T) {
	typed := layouts(t)[0]
	typed.Salts = maxSalts
	for _, l := range append(layouts(t), typed) {
		ranges := append(l.Ranges(0, 0), l.DirectoryRange())
		for _, from := range []int64{1, 1 << 40} {
			ranges = append(ranges, l.Ranges(from, 1<<62)...)
		}
		regions := map[int]bool{}
		for _, key := range l.SpareKeys() {
			for _, r := range ranges {
				if bytes.Compare(key, r.Start) >= 0 && (r.Stop == nil || bytes.Compare(key, r.Stop) < 0) {
					t.Errorf("%s: %x is among %x to %x", l.Name, key, r.Start, r.Stop)
				}
			}
			region := 0
			for _, split := range l.SplitKeys() {
				if bytes.Compare(key, split) >= 0 {
					region++
				}
			}
			regions[region] = true
		}
		if len(regions) != max(l.Salts, 1) {
			t.Errorf("%s: spare keys in %d regions, want %d", l.Name, len(regions), max(l.Salts, 1))
		}
	}
}

// TestABatchGoesToFewSalts: 64 KiB of a stream have one salt, the next 64 KiB the next salt.
func TestABatchGoesToFewSalts(t *testing.T) {
	l := layouts(t)[0]
	for chunk := range int64(20) {
		salt := l.salt(99, chunk<<16)
		if l.salt(99, chunk<<16+65535) != salt {
			t.Errorf("chunk %d has two salts", chunk)
		}
		if next := l.salt(99, (chunk+1)<<16); int(next) != (int(salt)+1)%l.Salts {
			t.Errorf("after salt %d comes %d", salt, next)
		}
	}
}

// TestRowEncoderAllocatesNothing per row, once its memory has grown.
func TestRowEncoderAllocatesNothing(t *testing.T) {
	l := layouts(t)[0]
	fields := []Field{{Name: "status", Kind: Int}, {Name: "path"}, {Name: "user"}}
	encoder := l.NewRowEncoder(&Stream{ID: 1, Host: "web01"}, fields)
	var rec Record
	rec.Reset([]byte("/index.html 200 -"), fields)
	rec.Values[0] = Value{Num: 200, Start: 12, End: 15, State: InLine}
	rec.Values[1] = Value{Start: 0, End: 11, State: InLine}
	var rows Rows
	append100 := func() {
		rows.Reset()
		for i := range int64(100) {
			encoder.Append(&rows, i*18, &rec)
		}
	}
	append100()
	if n := testing.AllocsPerRun(100, append100); n > 0 {
		t.Errorf("%v allocations for 100 rows", n)
	}
	row := Row{Cells: rows.Cells(3)}
	for qualifier, want := range map[string]string{"host": "web01", "status": "\x00\x00\x00\x00\x00\x00\x00\xc8", "path": "/index.html", "logbody": "/index.html 200 -"} {
		if got, ok := row.Cell(qualifier); !ok || string(got) != want {
			t.Errorf("cell %s is %q, want %q", qualifier, got, want)
		}
	}
	if _, ok := row.Cell("user"); ok {
		t.Error("null has a cell")
	}
}

// TestCellsKeptAreNamedByField in either layout, though flume calls path url.
func TestCellsKeptAreNamedByField(t *testing.T) {
	for _, l := range layouts(t) {
		l.Cells = []string{"path"}
		fields := []Field{{Name: "path"}, {Name: "user"}}
		var rec Record
		rec.Reset([]byte("/x frank"), fields)
		rec.Values[0] = Value{Start: 0, End: 2, State: InLine}
		rec.Values[1] = Value{Start: 3, End: 8, State: InLine}
		var rows Rows
		l.NewRowEncoder(&Stream{ID: 1, Host: "web01"}, fields).Append(&rows, 0, &rec)
		row := Row{Cells: rows.Cells(0)}
		path, _ := row.Cell(l.Qualifier("path"))
		line, _ := row.Cell(LogbodyField)
		if len(row.Cells) != 2 || string(path) != "/x" || string(line) != "/x frank" {
			t.Errorf("%s: cells %v", l.Name, row.Cells)
		}
	}
}
