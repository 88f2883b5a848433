package hfile_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"sluice/hbase/hfile"
)

func readBack(b []byte, c hfile.Compression) (cells []cell, err error) {
	err = hfile.Read(bytes.NewReader(b), c, func(x hfile.Cell) error {
		cells = append(cells, cell{string(x.Row), string(x.Qualifier), x.Timestamp, string(x.Value)})
		return nil
	})
	return cells, err
}

func TestAFileIsReadBackAsItWasWritten(t *testing.T) {
	all := contents()
	each(t, func(t *testing.T, o hfile.Options) {
		for name, want := range all {
			o.BlockBytes = want.blockBytes
			b, _ := write(t, o, want.cells)
			if got, err := readBack(b, o.Compression); err != nil || !slices.Equal(got, want.cells) {
				t.Errorf("%s: %d cells, want %d; %v", name, len(got), len(want.cells), err)
			}
		}
	})
}

func TestReadingEndsWithTheFirstErrorOfItsCaller(t *testing.T) {
	b, _ := write(t, options(), contents()["a log"].cells)
	stop, calls := errors.New("stop"), 0
	err := hfile.Read(bytes.NewReader(b), hfile.Uncompressed, func(hfile.Cell) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

// A changed file is an error, or has the cells that were written: never others.
func FuzzRead(f *testing.F) {
	want := contents()["a log"].cells[:500]
	for i := range byte(8) {
		f.Add(i, uint32(40), byte(1), uint32(1<<20))
	}
	f.Add(byte(3), uint32(3000), byte(0x80), uint32(9000))
	f.Fuzz(func(t *testing.T, kind byte, at uint32, flip byte, cut uint32) {
		o := options()
		o.Encoding, o.Compression = encodings[int(kind)%2], compressions[int(kind)/2%len(compressions)]
		b, _ := write(t, o, want)
		b[int(at)%len(b)] ^= flip
		got, err := readBack(b[:min(len(b), int(cut))], o.Compression)
		if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("other cells: %d of %d, error %v", len(got), len(want), err)
		}
		if err == nil && len(got) < len(want) {
			t.Fatalf("%d of %d cells without an error", len(got), len(want))
		}
	})
}
