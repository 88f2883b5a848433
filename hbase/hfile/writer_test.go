package hfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/hbase/hfile"
)

var (
	encodings    = []hfile.Encoding{hfile.None, hfile.FastDiff}
	compressions = []hfile.Compression{hfile.Uncompressed, hfile.Snappy, hfile.Zstd, hfile.Gzip}
)

func options() hfile.Options {
	return hfile.Options{Family: "l", Created: time.UnixMilli(1_700_000_000_000)}
}

// write writes cells to a file in memory.
func write(t testing.TB, o hfile.Options, cells []cell) ([]byte, hfile.Summary) {
	t.Helper()
	var b bytes.Buffer
	w, err := hfile.NewWriter(&b, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if err := w.Append([]byte(c.row), c.qualifier, c.timestamp, []byte(c.value)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), s
}

// content is the cells of a file, and the levels of its index, if they are not one.
type content struct {
	cells      []cell
	blockBytes int
	levels     int
}

// contents are files of every kind, by name.
func contents() map[string]content {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	m := map[string]content{}
	add := func(name string, cells ...cell) { m[name] = content{cells: cells} }
	add("empty")
	add("one cell", cell{"row", "status", 1, "200"})
	add("nothing but a row", cell{"r", "", 0, ""})
	add("a value of 64 KiB", cell{"r1", "a", 5, "x"}, cell{"r1", "line", 5, noise(64 << 10)}, cell{"r1", "z", 5, "x"}, cell{"r2", "line", 5, noise(64 << 10)})
	add("a value of several chunks", cell{"r", "q", 1, noise(300_000)}, cell{"s", "q", 1, strings.Repeat("abc", 200_000)})
	add("timestamps that fall", cell{"r", "q", 9e12, "a"}, cell{"r", "q", 5, "a"}, cell{"r", "q", 4, "b"}, cell{"r", "q", 0, "b"}, cell{"s", "q", 7, "b"}, cell{"s", "r", 7, "b"})
	add("row keys that extend one another", cell{"a", "q", 1, "v"}, cell{"a\x00", "q", 1, "v"}, cell{"aa", "q", 1, "v"}, cell{"aaa", "p", 1, "v"}, cell{"b", "q", 1, "v"})
	add("row keys of very different lengths", cell{"a", "q", 1, "v"}, cell{strings.Repeat("a", 300), "q", 1, "v"}, cell{strings.Repeat("a", 32767), "q", 1, "v"}, cell{"b", "q", 1, "v"})
	add("bytes above 127", cell{"\x7f", "\xff", 1, "\xff"}, cell{"\x80", "\x01", 1, "\x00"}, cell{"\xff", "", 1, ""}, cell{"\xff\xff", "\x80", 1, "\x80"})
	var wide, leaves, levels []cell
	for i := range 3000 {
		wide = append(wide, cell{"one row", fmt.Sprintf("q%05d", i), 7, noise(40)})
	}
	add("a row larger than a block", wide...)
	for i := range 6000 {
		leaves = append(leaves, cell{strings.Repeat("k", 500) + fmt.Sprintf("%06d", i), "q", uint64(i), "v"})
	}
	m["an index with leaf blocks"] = content{cells: leaves, blockBytes: 1 << 10, levels: 2}
	for i := range 260 {
		levels = append(levels, cell{strings.Repeat("k", 32_000) + fmt.Sprintf("%06d", i), "q", uint64(i), "v"})
	}
	m["an index with intermediate blocks"] = content{cells: levels, blockBytes: 1 << 10, levels: 3}
	m["a log"] = content{cells: logCells(2000)}
	return m
}

// logCells are rows as those of a log: each with some short values and one that differs.
func logCells(rows int) []cell {
	random := rand.New(rand.NewPCG(3, 4))
	var cells []cell
	for i := range rows {
		row := fmt.Sprintf("\x03%08d%06d", 1000+i/3, i)
		at := uint64(1_700_000_000_000 + i*30)
		cells = append(cells, cell{row, "bytes", at, fmt.Sprint(random.Uint32N(1 << 20))}, cell{row, "host", at, fmt.Sprint("10.0.0.", random.Uint32N(200))},
			cell{row, "method", at, "GET"}, cell{row, "status", at, "200"}, cell{row, "uri", at, fmt.Sprintf("/item/%x", random.Uint64())})
	}
	return cells
}

// each runs a test for every encoding and compression.
func each(t *testing.T, do func(t *testing.T, o hfile.Options)) {
	for _, e := range encodings {
		for _, c := range compressions {
			t.Run(fmt.Sprintf("%v,%v", e, c), func(t *testing.T) {
				o := options()
				o.Encoding, o.Compression = e, c
				do(t, o)
			})
		}
	}
}

func TestAFileHasTheCellsThatWereAppended(t *testing.T) {
	all := contents()
	each(t, func(t *testing.T, o hfile.Options) {
		for name, content := range all {
			cells := content.cells
			o.BlockBytes = content.blockBytes
			b, s := write(t, o, cells)
			f := read(t, b, o.Family)
			if !slices.Equal(f.cells, cells) {
				t.Errorf("%s: %d other cells, want %d", name, len(f.cells), len(cells))
			}
			if f.levels != max(content.levels, 1) {
				t.Errorf("%s: an index of %d levels, want %d", name, f.levels, max(content.levels, 1))
			}
			want := hfile.Summary{Cells: int64(len(cells)), Bytes: int64(len(b))}
			if len(cells) > 0 {
				want.FirstRow, want.LastRow = []byte(cells[0].row), []byte(cells[len(cells)-1].row)
			}
			if s.Cells != want.Cells || s.Bytes != want.Bytes || !bytes.Equal(s.FirstRow, want.FirstRow) || !bytes.Equal(s.LastRow, want.LastRow) {
				t.Errorf("%s: summary %.100v, want %.100v", name, s, want)
			}
		}
	})
}

func TestCellsOutOfOrderAreRejected(t *testing.T) {
	each(t, func(t *testing.T, o hfile.Options) {
		for _, c := range []struct {
			name          string
			first, second cell
		}{
			{"an earlier row", cell{"b", "q", 1, "v"}, cell{"a", "q", 1, "v"}},
			{"a row that the last one extends", cell{"ab", "q", 1, "v"}, cell{"a", "q", 1, "v"}},
			{"a row below one that is not ASCII", cell{"\x80", "q", 1, "v"}, cell{"\x7f", "q", 1, "v"}},
			{"an earlier qualifier", cell{"a", "q", 1, "v"}, cell{"a", "p", 1, "v"}},
			{"a qualifier that the last one extends", cell{"a", "qq", 1, "v"}, cell{"a", "q", 1, "v"}},
			{"no qualifier", cell{"a", "q", 1, "v"}, cell{"a", "", 1, "v"}},
			{"a later timestamp", cell{"a", "q", 1, "v"}, cell{"a", "q", 2, "v"}},
			{"an equal cell", cell{"a", "q", 1, "v"}, cell{"a", "q", 1, "v"}},
			{"an equal key with another value", cell{"a", "q", 1, "v"}, cell{"a", "q", 1, "w"}},
		} {
			var b bytes.Buffer
			w, err := hfile.NewWriter(&b, o)
			if err != nil {
				t.Fatal(err)
			}
			last := cell{"\xff", "q", 1, "v"}
			for i, n := range []cell{c.first, c.second, last} {
				err := w.Append([]byte(n.row), n.qualifier, n.timestamp, []byte(n.value))
				if i == 1 && !errors.Is(err, hfile.ErrOrder) || i != 1 && err != nil {
					t.Errorf("%s: cell %d: %v", c.name, i, err)
				}
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if f := read(t, b.Bytes(), o.Family); !slices.Equal(f.cells, []cell{c.first, last}) {
				t.Errorf("%s: the file has %v", c.name, f.cells)
			}
		}
	})
}
