package bulkload

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/hbase/hfile"
	"sluice/hbase/region"
	"sluice/schema"
)

// rowWith returns cells, whose qualifiers depend on the row, and with which a later row of the same
// key differs.
func rowWith(i, version int) []schema.Cell {
	cells := []schema.Cell{{Qualifier: "bytes", Value: binary.AppendVarint(nil, int64(i))}, {Qualifier: "empty"}}
	if i%3 == 0 {
		cells = append(cells, schema.Cell{Qualifier: fmt.Sprint("field", i%300), Value: bytes.Repeat([]byte{byte(version)}, i%2000)})
	}
	return append(cells, schema.Cell{Qualifier: "version", Value: fmt.Append(nil, version)})
}

// windowText is the rows of a sorted window.
func windowText(w *window, from, to int) (text []string) {
	for i := from; i < to; i++ {
		key, time, cells := w.row(nil, i)
		text = append(text, rowText(key, time, cells))
	}
	return text
}

// The lower part of a window is removed again and again; what is left, and what is removed, is in
// order and has the last of rows with the same key.
func TestAWindowSortsRowsAndKeepsTheLastOfAKey(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var m memory
	w := window{memory: &m}
	want := map[string]string{}
	for step := range 60 {
		for range random.IntN(400) {
			i := step*100 + random.IntN(1000)
			key := fmt.Appendf(nil, "k%04d", i)
			if i%5 == 0 { // longer than a prefix, and some that differ behind it
				key = fmt.Appendf(nil, "k%04d%s%d", i/10*10, "........................", i%10)
			}
			if i%7 == 0 {
				key = []byte{byte(i), 0}[:1+i/7%2]
			}
			cells := rowWith(i, step)
			if i == step*100 {
				cells[0].Value = make([]byte, 3*chunkBytes)
			}
			w.add(key, int64(i), cells)
			want[string(key)] = rowText(key, int64(i), cells)
		}
		w.sort()
		if got, want := windowText(&w, 0, len(w.rows)), inOrder(want); !slices.Equal(got, want) {
			t.Fatalf("step %d: %d rows, want %d, or others", step, len(got), len(want))
		}
		n := len(w.rows) / 2
		if step%10 == 9 {
			n = len(w.rows)
		}
		for i := range n {
			delete(want, string(w.key(i)))
		}
		w.remove(n)
		checkChunks(t, &w)
	}
}

func rowText(key []byte, time int64, cells []schema.Cell) string {
	b := fmt.Appendf(nil, "%x %d", key, time)
	for _, c := range cells {
		b = fmt.Appendf(b, " %s=%d:%08x", c.Qualifier, len(c.Value), crc32.ChecksumIEEE(c.Value))
	}
	return string(b)
}

func inOrder(rows map[string]string) (text []string) {
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		text = append(text, rows[key])
	}
	return text
}

// checkChunks checks that a window has just the chunks that its rows are in, and the one that is
// being filled.
func checkChunks(t *testing.T, w *window) {
	t.Helper()
	used := map[*chunk]int{}
	for _, r := range w.rows {
		used[r.chunk]++
	}
	held := 0
	for c, rows := range used {
		held += cap(c.bytes)
		if c.rows != rows {
			t.Errorf("a chunk counts %d rows and has %d", c.rows, rows)
		}
		if slices.Contains(w.memory.free, c) {
			t.Error("a chunk with rows is free")
		}
	}
	if w.filled != nil && used[w.filled] == 0 {
		held += cap(w.filled.bytes)
	}
	if w.chunks != held {
		t.Errorf("the window counts %d bytes of chunks, and has %d", w.chunks, held)
	}
}

// Rows in any order cost a window no more than its share, and chunks are used again.
func TestTheMemoryOfAWindowIsBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	const share = 4 * chunkBytes
	for name, key := range map[string]func(i int) uint64{
		"in order": func(i int) uint64 { return uint64(i) },
		"nearly":   func(i int) uint64 { return uint64(i + random.IntN(50)) },
		"reverse":  func(i int) uint64 { return uint64(1e6 - i) },
		"none":     func(int) uint64 { return random.Uint64() },
	} {
		var m memory
		w := window{memory: &m}
		most := 0
		for i := range 20_000 {
			w.add(binary.BigEndian.AppendUint64(nil, key(i)), 1, rowWith(i, 1))
			most = max(most, w.bytes())
			if w.bytes() >= share {
				w.sort()
				w.remove(max(1, len(w.rows)/2))
			}
		}
		if most > share+chunkBytes+2*windowRowBytes {
			t.Errorf("%s: the window had %d bytes, its share is %d", name, most, share)
		}
		w.sort()
		w.remove(len(w.rows))
		if w.bytes() != 0 || len(m.free)*chunkBytes > share+chunkBytes {
			t.Errorf("%s: an empty window has %d bytes, and %d chunks are free", name, w.bytes(), len(m.free))
		}
	}
}

// Rows of a log pass through a window and into a file without an allocation for each row or cell.
func TestRowsThatAreWrittenToAFileAllocateNothing(t *testing.T) {
	layout, err := schema.NewLayout(schema.LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	s := newSorter(t.TempDir(), layout, hfile.Uncompressed, 1<<20)
	r := s.begin(&region.Region{}, false, false)
	cells := rowWith(3, 1)
	key := make([]byte, 8)
	const rows = 20_000
	next := uint64(0)
	step := func() {
		for range rows {
			next++
			binary.BigEndian.PutUint64(key, next^3) // nearly in order
			if err := s.add(t.Context(), r, key, 1e9, cells); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 10 {
		step()
	}
	// The index of the file grows now and then.
	if n := testing.AllocsPerRun(5, step); n > rows/1000 {
		t.Errorf("%v allocations for %d rows", n, rows)
	}
	if err := errors.Join(r.discard()...); err != nil {
		t.Fatal(err)
	}
}

// Regions get rows one after the other, as those of a table that is split by time do: the windows of
// regions that get no more rows give their memory to the next ones.
func TestTheMemoryOfAllWindowsIsBounded(t *testing.T) {
	const windowBytes, regions, valueBytes = 8 << 20, 32, 40
	s := newSorter(t.TempDir(), schema.Layout{Family: "l"}, hfile.Uncompressed, windowBytes)
	cells := []schema.Cell{{Qualifier: "line", Value: make([]byte, valueBytes)}}
	key := make([]byte, 8)
	next := uint64(0)
	for i := range regions {
		r := s.begin(&region.Region{}, false, false)
		for range windowBytes / (i + 1) / (valueBytes + 2*windowRowBytes) {
			next++
			binary.BigEndian.PutUint64(key, next)
			if err := s.add(t.Context(), r, key, 1e9, cells); err != nil {
				t.Fatal(err)
			}
		}
		counted, arrays := 0, 0
		for _, r := range s.runs {
			counted += r.window.bytes()
			arrays += windowRowBytes * (cap(r.window.rows) + cap(r.window.spare))
		}
		if counted > windowBytes || arrays > 2*windowBytes {
			t.Fatalf("the windows of %d regions have %d bytes, and arrays of %d, the limit is %d", i+1, counted, arrays, windowBytes)
		}
	}
	if err := s.discard(); err != nil {
		t.Fatal(err)
	}
}
