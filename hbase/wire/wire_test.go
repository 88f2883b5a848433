package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestACellReadsAsItWasWritten(t *testing.T) {
	cells := []Cell{
		{Row: []byte("row"), Family: []byte("l"), Qualifier: []byte("status"), Value: []byte("\x00\x01"), Timestamp: 5, Type: Put},
		{Row: []byte{0}, Family: []byte{}, Qualifier: []byte{}, Value: []byte{}, Timestamp: Latest, Type: DeleteFamily},
		{Row: bytes.Repeat([]byte("k"), MaxRowBytes), Family: []byte("prop"), Qualifier: []byte("q"), Value: make([]byte, 1<<20), Type: Put},
	}
	var block []byte
	size := 0
	for _, c := range cells {
		block = AppendCell(block, c.Row, string(c.Family), string(c.Qualifier), c.Timestamp, c.Type, c.Value)
		size += cellBytes(len(c.Row), len(c.Family), len(c.Qualifier), len(c.Value))
	}
	if len(block) != size {
		t.Errorf("%d bytes, want %d", len(block), size)
	}
	for _, want := range cells {
		var got Cell
		var err error
		if got, block, err = CutCell(block); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Row, want.Row) || !bytes.Equal(got.Family, want.Family) || !bytes.Equal(got.Qualifier, want.Qualifier) ||
			!bytes.Equal(got.Value, want.Value) || got.Timestamp != want.Timestamp || got.Type != want.Type {
			t.Errorf("got %.80q, want %.80q", got.Row, want.Row)
		}
	}
	if len(block) > 0 {
		t.Errorf("%d bytes are left", len(block))
	}
}

// The bytes of one cell, as class KeyValue defines them.
func TestACellHasTheBytesOfAKeyValue(t *testing.T) {
	got := AppendCell(nil, []byte("r"), "f", "q", 1, Put, []byte("v"))
	want := []byte("\x00\x00\x00\x18\x00\x00\x00\x0f\x00\x00\x00\x01\x00\x01r\x01fq\x00\x00\x00\x00\x00\x00\x00\x01\x04v")
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestAppendCellAllocatesNothing(t *testing.T) {
	row, value := []byte("row"), []byte("value")
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = AppendCell(dst[:0], row, "l", "status", 1, Put, value) }); n != 0 {
		t.Errorf("%v allocations a cell", n)
	}
}

func TestTruncatedCellsAreMalformed(t *testing.T) {
	cell := AppendCell(nil, []byte("row"), "l", "q", 1, Put, []byte("value"))
	snappy := AppendSnappy(nil, [][]byte{bytes.Repeat([]byte("abc"), 1000)})
	for n := 1; n < len(cell); n++ {
		if _, _, err := CutCell(cell[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes of a cell: %v", n, err)
		}
	}
	for n := 1; n < len(snappy); n++ {
		if _, err := ReadSnappy(snappy[:n], 1<<20); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes of a snappy block: %v", n, err)
		}
	}
	if _, err := ReadSnappy(snappy, 2999); !errors.Is(err, ErrMalformed) {
		t.Errorf("a block over the limit: %v", err)
	}
}

func TestSnappyBlocksReadAsTheyWereWritten(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	for _, pieces := range [][][]byte{{[]byte("a"), []byte("b")}, {long}, {long[:5], long, long[7:]}} {
		want := bytes.Join(pieces, nil)
		got, err := ReadSnappy(AppendSnappy(nil, pieces), len(want))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes became %d, %v", len(want), len(got), err)
		}
	}
}

func FuzzCells(f *testing.F) {
	f.Add(AppendCell(AppendCell(nil, []byte("row"), "l", "q", 1, Put, []byte("value")), []byte("r"), "", "", 0, Delete, nil))
	f.Add([]byte("\x00\x00\x00\x14\x00\x00\x00\x0c\x00\x00\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, block []byte) {
		for len(block) > 0 {
			c, rest, err := CutCell(block)
			if err != nil {
				return
			}
			if len(rest) >= len(block) {
				t.Fatal("nothing was cut off")
			}
			again := AppendCell(nil, c.Row, string(c.Family), string(c.Qualifier), c.Timestamp, c.Type, c.Value)
			if tags := len(block) - len(rest) - len(again); tags < 0 || !bytes.Equal(again[4:], block[4:4+len(again)-4]) {
				t.Fatalf("%x reads as %x", block, again)
			}
			block = rest
		}
	})
}

func FuzzSnappy(f *testing.F) {
	f.Add(AppendSnappy(nil, [][]byte{[]byte("abcabcabcabcabc")}))
	f.Fuzz(func(t *testing.T, block []byte) {
		if raw, err := ReadSnappy(block, 1<<20); err == nil && len(raw) > 1<<20 {
			t.Fatalf("%d bytes", len(raw))
		}
	})
}
