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
	compressions = []hfile.Compression{hfile.Uncompressed, hfile.Snappy, hfile.Gzip}
)

func options() hfile.Options {
	return hfile.Options{Family: "l", Created: time.UnixMilli(1_700_000_000_000)}
}

// make writes cells to a file in memory.
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

// contents are files of every kind, by name.
func contents() map[string][]cell {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	m := map[string][]cell{
		"empty":                              nil,
		"one cell":                           {{"row", "status", 1, "200"}},
		"nothing but a row":                  {{"r", "", 0, ""}},
		"a value of 64 KiB":                  {{"r1", "a", 5, "x"}, {"r1", "line", 5, noise(64 << 10)}, {"r1", "z", 5, "x"}, {"r2", "line", 5, noise(64 << 10)}},
		"timestamps that fall":               {{"r", "q", 9e12, "a"}, {"r", "q", 5, "a"}, {"r", "q", 4, "b"}, {"r", "q", 0, "b"}, {"s", "q", 7, "b"}, {"s", "r", 7, "b"}},
		"row keys that extend one another":   {{"a", "q", 1, "v"}, {"a\x00", "q", 1, "v"}, {"aa", "q", 1, "v"}, {"aaa", "p", 1, "v"}, {"b", "q", 1, "v"}},
		"row keys of very different lengths": {{"a", "q", 1, "v"}, {strings.Repeat("a", 300), "q", 1, "v"}, {strings.Repeat("a", 32767), "q", 1, "v"}, {"b", "q", 1, "v"}},
		"bytes above 127":                    {{"\x7f", "\xff", 1, "\xff"}, {"\x80", "\x01", 1, "\x00"}, {"\xff", "", 1, ""}, {"\xff\xff", "\x80", 1, "\x80"}},
	}
	var wide, log []cell
	for i := range 3000 {
		wide = append(wide, cell{"one row", fmt.Sprintf("q%05d", i), 7, noise(40)})
	}
	m["a row larger than a block"] = wide
	for i := range 2000 {
		row := fmt.Sprintf("\x03%08d%06d", 1000+i/3, i)
		at := uint64(1_700_000_000_000 + i*30)
		for q, v := range map[string]string{"bytes": fmt.Sprint(i * 7), "host": "10.0.0." + fmt.Sprint(i%5), "method": "GET", "status": "200", "uri": noise(i % 90)} {
			log = append(log, cell{row, q, at, v})
		}
	}
	slices.SortFunc(log, compare)
	m["a log"] = log
	return m
}

func compare(a, b cell) int {
	if c := strings.Compare(a.row, b.row); c != 0 {
		return c
	}
	if c := strings.Compare(a.qualifier, b.qualifier); c != 0 {
		return c
	}
	return -1 * int(int64(a.timestamp)-int64(b.timestamp))
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
		for name, cells := range all {
			b, s := write(t, o, cells)
			f := read(t, b, o.Family)
			if !slices.Equal(f.cells, cells) {
				t.Errorf("%s: %d other cells, want %d", name, len(f.cells), len(cells))
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
