package parquet

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var seed = flag.Uint64("seed", 0, "seed of the random files; 0 is a new one each run")

// table is the input of a test and its expected result: texts with nil for null, numbers with their
// validity bits.
type table struct {
	columns []Column
	groups  []group
}

type group struct {
	rows  int
	texts map[int][][]byte
	ints  map[int][]int64
	valid map[int][]bool // validity bits of ints; a column without an entry has no null
}

func write(t testing.TB, tab table) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	order := []int{}
	for _, c := range tab.columns {
		order = append(order, w.AddColumn(c))
	}
	for _, g := range tab.groups {
		w.BeginGroup(g.rows)
		for column, values := range g.texts {
			var dict Dict
			codes, seen := []int32{}, map[string]int32{}
			for _, v := range values {
				if v == nil {
					codes = append(codes, -1)
					continue
				}
				code, ok := seen[string(v)]
				if !ok {
					code = int32(dict.Add(v))
					seen[string(v)] = code
				}
				codes = append(codes, code)
			}
			w.WriteTexts(column, &dict, codes)
		}
		for column, values := range g.ints {
			var bits []uint64
			if v := g.valid[column]; v != nil {
				bits = make([]uint64, (g.rows+63)/64)
				for i, ok := range v {
					if ok {
						bits[i>>6] |= 1 << (i & 63)
					}
				}
			}
			w.WriteInts(column, values, bits)
		}
	}
	if err := w.Close(order, map[string]string{"k": "v"}, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// check decodes the rows [from, to) of every column and compares them.
func (tab table) check(t *testing.T, f *File, d *Decoder, g, from, to int) {
	t.Helper()
	want := tab.groups[g]
	for column, c := range tab.columns {
		if c.Type == ByteArray {
			var got Texts
			if err := d.Texts(f, g, column, from, to, &got); err != nil {
				t.Fatal(c.Name, err)
			}
			for i := range to - from {
				var w, v []byte
				if want.texts[column] != nil {
					w = want.texts[column][from+i]
				}
				if got.Codes[i] >= 0 {
					v = got.Values[got.Codes[i]]
				}
				if !bytes.Equal(v, w) || (v == nil) != (w == nil) {
					t.Fatalf("%s, row %d of group %d: %q, want %q", c.Name, from+i, g, v, w)
				}
			}
			continue
		}
		var got Ints
		if err := d.Ints(f, g, column, from, to, &got); err != nil {
			t.Fatal(c.Name, err)
		}
		if len(got.Values) != to-from {
			t.Fatalf("%d rows of %d", len(got.Values), to-from)
		}
		for i, v := range got.Values {
			ok := got.Valid == nil || got.Valid[i>>6]>>(i&63)&1 == 1
			wantOK := want.ints[column] != nil && (want.valid[column] == nil || want.valid[column][from+i])
			if ok != wantOK || ok && v != want.ints[column][from+i] || !ok && v != 0 {
				t.Fatalf("%s, row %d of group %d, rows %d to %d: %d %v", c.Name, from+i, g, from, to, v, ok)
			}
		}
	}
}

func random(rng *rand.Rand) table {
	tab := table{}
	for i := range 1 + rng.IntN(6) {
		c := Column{Name: fmt.Sprint("c", i), Type: ByteArray, Optional: rng.IntN(3) > 0}
		switch rng.IntN(4) {
		case 0:
			c.Type = Int64
		case 1:
			c.Type = Int32
		case 2:
			c.Logical = String
		}
		tab.columns = append(tab.columns, c)
	}
	for range 1 + rng.IntN(3) {
		tab.groups = append(tab.groups, randomGroup(rng, tab.columns))
	}
	return tab
}

func randomGroup(rng *rand.Rand, columns []Column) group {
	g := group{texts: map[int][][]byte{}, ints: map[int][]int64{}, valid: map[int][]bool{}}
	g.rows = 1 + rng.IntN([]int{3, 70, 1000, 3*pageRows + 5}[rng.IntN(4)])
	for column, c := range columns {
		if c.Optional && rng.IntN(8) == 0 {
			continue // the column is not written: all null
		}
		nulls := 0.0
		if c.Optional {
			nulls = []float64{0, 0.001, 0.5, 1}[rng.IntN(4)]
		}
		different, stay := 1+rng.IntN([]int{1, 10, 300, 1 << 40}[rng.IntN(4)]), rng.Float64()
		last := 0
		next := func() int {
			if rng.Float64() > stay {
				last = rng.IntN(different)
			}
			return last
		}
		if c.Type == ByteArray {
			for range g.rows {
				v := bytes.Repeat([]byte(fmt.Sprint(next())), last%3*(last%7))
				if rng.Float64() < nulls {
					v = nil
				} else if v == nil {
					v = []byte{}
				}
				g.texts[column] = append(g.texts[column], v)
			}
			continue
		}
		scale, rising := int64(1)<<rng.IntN(62), rng.IntN(2) == 0
		sum := int64(0)
		for range g.rows {
			v := int64(next()) * scale // may overflow
			if rising {
				sum += v
				v = sum
			}
			if rng.IntN(1000) == 0 {
				v = []int64{math.MinInt64, math.MaxInt64, -1, 0}[rng.IntN(4)]
			}
			if c.Type == Int32 {
				v = int64(int32(v))
			}
			g.ints[column] = append(g.ints[column], v)
			if nulls > 0 {
				g.valid[column] = append(g.valid[column], rng.Float64() >= nulls)
			}
		}
	}
	return g
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 120 {
		tab := random(rng)
		file := write(t, tab)
		f, err := OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Columns(), tab.columns) {
			t.Fatalf("columns %v, want %v", f.Columns(), tab.columns)
		}
		if v, _ := f.Metadata("k"); v != "v" {
			t.Fatalf("metadata %q", v)
		}
		for g, want := range tab.groups {
			tab.check(t, f, d, g, 0, want.rows)
			from := rng.IntN(want.rows)
			tab.check(t, f, d, g, from, from+1+rng.IntN(want.rows-from))
		}
	}
}
