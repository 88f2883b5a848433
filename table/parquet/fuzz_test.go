package parquet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// readAll reads every column of a file, whole and in part, and its page index. Each error must be
// an ErrFormat.
func readAll(t *testing.T, file []byte) {
	f, err := OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		if !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		return
	}
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var texts Texts
	var ints Ints
	for g, group := range f.Groups() {
		rows := int(group.Rows)
		for column, c := range f.Columns() {
			for _, part := range [][2]int{{0, rows}, {rows / 3, rows/3 + 1}} {
				if c.Type == ByteArray {
					if err = d.Texts(f, g, column, part[0], part[1], &texts); err == nil {
						checkTexts(t, &texts, part[1]-part[0])
					}
				} else if err = d.Ints(f, g, column, part[0], part[1], &ints); err == nil && len(ints.Values) != part[1]-part[0] {
					t.Fatalf("%d of %d rows", len(ints.Values), part[1]-part[0])
				}
				if err != nil && !errors.Is(err, ErrFormat) {
					t.Fatal(err)
				}
			}
			if _, err := f.Pages(g, column); err != nil && !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
		}
	}
}

func checkTexts(t *testing.T, texts *Texts, rows int) {
	if len(texts.Codes) != rows {
		t.Fatalf("%d of %d rows", len(texts.Codes), rows)
	}
	for _, code := range texts.Codes {
		if code < -1 || int(code) >= len(texts.Values) {
			t.Fatalf("index %d of %d values", code, len(texts.Values))
		}
	}
}

// FuzzFile reads damaged files: no panic, and no error but ErrFormat.
func FuzzFile(f *testing.F) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 2))
		tab := random(rng)
		tab.groups = tab.groups[:1]
		g := &tab.groups[0]
		if g.rows > 1000 {
			continue
		}
		f.Add(write(f, tab))
	}
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(readAll)
}

// TestDamagedFilesAreErrors damages files at random positions, one byte or several at a time.
func TestDamagedFilesAreErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 10 {
		tab := random(rng)
		for i := range tab.groups {
			for tab.groups[i].rows > 2000 {
				tab.groups[i] = randomGroup(rng, tab.columns)
			}
		}
		file := write(t, tab)
		for range 300 {
			damaged := slices.Clone(file)
			at := rng.IntN(len(damaged))
			if rng.IntN(2) == 0 { // near the end, where the footer and the indexes are
				at = len(damaged) - 1 - rng.IntN(min(len(damaged), 600))
			}
			switch rng.IntN(3) {
			case 0:
				damaged[at] ^= 1 << rng.IntN(8)
			case 1:
				damaged[at] = byte(rng.IntN(256))
			default:
				damaged = slices.Delete(damaged, at, min(len(damaged), at+1+rng.IntN(8)))
			}
			readAll(t, damaged)
		}
	}
}

// FuzzPages decodes arbitrary bytes as pages.
func FuzzPages(f *testing.F) {
	f.Add(appendHybrid(nil, []int32{1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, 3), uint8(3), uint16(20))
	f.Add(appendDelta(nil, []int64{1, 5, 3, -7, 1 << 60, 0}), uint8(8), uint16(6))
	f.Fuzz(func(t *testing.T, src []byte, width uint8, n uint16) {
		codes, values := make([]int32, n), make([]int64, n)
		if err := decodeHybrid(codes, src, uint(width)); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		if err := decodeDelta(values, src); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		if _, err := plainTexts(nil, src, int(n)); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		// Encode the bytes as values; decoding must return the same values.
		width = width%31 + 1
		for i := range codes {
			codes[i] = int32(uint32(codes[i]) & (1<<width - 1))
		}
		back := make([]int32, n)
		if err := decodeHybrid(back, appendHybrid(nil, codes, uint(width)), uint(width)); err != nil || !slices.Equal(codes, back) {
			t.Fatalf("%v: %v, want %v", err, back, codes)
		}
		numbers := make([]int64, n)
		if err := decodeDelta(numbers, appendDelta(nil, values)); err != nil || !slices.Equal(values, numbers) {
			t.Fatalf("%v: %v, want %v", err, numbers, values)
		}
	})
}

// TestStatisticsBoundTheValues checks the statistics of row groups and of pages.
func TestStatisticsBoundTheValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 40 {
		tab := random(rng)
		file := write(t, tab)
		f, err := OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		for g, want := range tab.groups {
			for column, c := range tab.columns {
				s := f.Groups()[g].Chunks[column].Stats
				nulls := 0
				for i := range want.rows {
					if c.Type == ByteArray {
						if want.texts[column] == nil || want.texts[column][i] == nil {
							nulls++
						} else if v := want.texts[column][i]; s.Bounded && (bytes.Compare(v, s.Min) < 0 || bytes.Compare(v, s.Max) > 0) {
							t.Fatalf("%q is not within %q and %q", v, s.Min, s.Max)
						}
					} else if want.ints[column] == nil || want.valid[column] != nil && !want.valid[column][i] {
						nulls++
					} else if v := want.ints[column][i]; !s.Bounded || v < Int(s.Min) || v > Int(s.Max) {
						t.Fatalf("%d is not within %d and %d", v, Int(s.Min), Int(s.Max))
					}
				}
				if s.Nulls != int64(nulls) {
					t.Fatalf("%d nulls, want %d", s.Nulls, nulls)
				}
				checkPages(t, f, g, column, want)
			}
		}
	}
}

func checkPages(t *testing.T, f *File, g, column int, want group) {
	pages, err := f.Pages(g, column)
	if err != nil {
		t.Fatal(err)
	}
	row := 0
	for _, p := range pages {
		if p.FirstRow != row || p.Rows <= 0 {
			t.Fatalf("page of %d rows at %d, want one at %d", p.Rows, p.FirstRow, row)
		}
		row += p.Rows
		if want.ints[column] == nil {
			continue
		}
		for i := p.FirstRow; i < row; i++ {
			v, ok := want.ints[column][i], want.valid[column] == nil || want.valid[column][i]
			if ok && (!p.Bounded || v < p.Min || v > p.Max) {
				t.Fatalf("%d is not within %d and %d of its page", v, p.Min, p.Max)
			}
		}
	}
	if row != want.rows {
		t.Fatalf("pages of %d rows, want %d", row, want.rows)
	}
}

// TestReadingAllocatesNothingARow checks that the allocations of a read do not grow with the number
// of rows.
func TestReadingAllocatesNothingARow(t *testing.T) {
	const rows = 3 * pageRows
	tab := table{columns: []Column{{Name: "t", Type: ByteArray, Optional: true}, {Name: "n", Type: Int64, Optional: true}, {Name: "p", Type: ByteArray}}}
	g := group{rows: rows, texts: map[int][][]byte{}, ints: map[int][]int64{}, valid: map[int][]bool{}}
	for i := range rows {
		g.texts[0] = append(g.texts[0], []byte{byte(i), byte(i >> 7)})
		g.texts[2] = append(g.texts[2], []byte{byte(i), byte(i >> 8), byte(i >> 16)}) // without a dictionary
		g.ints[1] = append(g.ints[1], int64(i*i))
		g.valid[1] = append(g.valid[1], i%3 > 0)
	}
	tab.groups = []group{g}
	file := write(t, tab)
	f, err := OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var texts, plain Texts
	var ints Ints
	allocated := testing.AllocsPerRun(5, func() {
		for _, err := range []error{d.Texts(f, 0, 0, 0, rows, &texts), d.Texts(f, 0, 2, 0, rows, &plain), d.Ints(f, 0, 1, 0, rows, &ints)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocated > 100 { // a few for each page header
		t.Errorf("%v allocations for %d rows", allocated, rows)
	}
}
