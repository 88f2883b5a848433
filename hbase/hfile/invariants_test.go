package hfile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/hbase/hfile"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// A file's bytes change only on purpose. HBase's reader accepted these.
func TestTheBytesOfAFile(t *testing.T) {
	cells := []cell{{"r1", "a", 258, "v"}, {"r1", "b", 258, "v"}, {"r2", "a", 257, "w"}}
	for _, e := range encodings {
		o := options()
		o.Encoding, o.ExcludeFromMinorCompaction = e, true
		got, _ := write(t, o, cells)
		path := fmt.Sprintf("testdata/%v.hfile", e)
		if *rewrite {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes with the hash %x, want %d with %x", e, len(got), sha256.Sum256(got), len(want), sha256.Sum256(want))
		}
	}
}

func TestMinorCompactionsMayLeaveAFileOut(t *testing.T) {
	for _, exclude := range []bool{false, true} {
		o := options()
		o.ExcludeFromMinorCompaction = exclude
		b, _ := write(t, o, []cell{{"r", "q", 1, "v"}})
		if got := read(t, b, o.Family).info["EXCLUDE_FROM_MINOR_COMPACTION"]; bytes.Equal(got, []byte{0xff}) != exclude {
			t.Errorf("%v: %x", exclude, got)
		}
	}
}

func TestCellsThatHBaseRejectsAreRejected(t *testing.T) {
	w, err := hfile.NewWriter(io.Discard, options())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		row       []byte
		timestamp uint64
		value     []byte
	}{
		"no row":                {nil, 1, nil},
		"a row of 32 KiB":       {make([]byte, 32<<10), 1, nil},
		"the timestamp latest":  {[]byte("r"), 1<<63 - 1, nil},
		"a negative timestamp":  {[]byte("r"), 1 << 63, nil},
		"a cell of over 10 MiB": {[]byte("r"), 1, make([]byte, 10<<20)},
	} {
		if err := w.Append(c.row, "q", c.timestamp, c.value); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if s, err := w.Close(); err != nil || s.Cells != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := w.Append([]byte("r"), "q", 1, nil); err == nil {
		t.Error("a closed file accepts cells")
	}
}

type failing struct{ left int }

var errDisk = errors.New("no space")

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errDisk
	}
	return len(b), nil
}

func TestAFailedWriteStaysAnError(t *testing.T) {
	w, err := hfile.NewWriter(&failing{left: 100_000}, options())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		if err = w.Append(fmt.Appendf(nil, "%06d", i), "q", 1, make([]byte, 100)); err != nil {
			break
		}
	}
	if !errors.Is(err, errDisk) {
		t.Errorf("append: %v", err)
	}
	if _, err := w.Close(); !errors.Is(err, errDisk) {
		t.Errorf("close: %v", err)
	}
}

func TestInvalidOptionsAreRejected(t *testing.T) {
	for name, change := range map[string]func(*hfile.Options){
		"family":       func(o *hfile.Options) { o.Family = "" },
		"long family":  func(o *hfile.Options) { o.Family = strings.Repeat("f", 128) },
		"encoding":     func(o *hfile.Options) { o.Encoding = 3 },
		"compression":  func(o *hfile.Options) { o.Compression = 9 },
		"small blocks": func(o *hfile.Options) { o.BlockBytes = 1 },
		"no time":      func(o *hfile.Options) { o.Created = time.Time{} },
	} {
		o := options()
		change(&o)
		if _, err := hfile.NewWriter(io.Discard, o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// appendRows appends rows as those of a log, with keys that rise from call to call.
func appendRows(w *hfile.Writer, from, rows int, row, value []byte) error {
	for i := range rows {
		row = binary.BigEndian.AppendUint64(append(row[:0], 3), uint64(from+i))
		row = append(row, "-web01-0001"...)
		for _, q := range [...]string{"agent", "bytes", "host", "method", "status", "uri"} {
			value = append(value[:0], q...)
			if q == "uri" {
				value = append(append(value, row...), "/index.html?with=more"...)
			}
			if err := w.Append(row, q, 1_700_000_000_000+uint64(i), value); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestAppendDoesNotAllocate(t *testing.T) {
	each(t, func(t *testing.T, o hfile.Options) {
		w, err := hfile.NewWriter(io.Discard, o)
		if err != nil {
			t.Fatal(err)
		}
		row, value := make([]byte, 0, 64), make([]byte, 0, 128)
		const rows = 2000 // some blocks, with their compression
		next := 0
		step := func() {
			if err := appendRows(w, next, rows, row, value); err != nil {
				t.Fatal(err)
			}
			next += rows
		}
		for range 20 {
			step()
		}
		// The index grows now and then: less than one allocation in a thousand cells.
		if n := testing.AllocsPerRun(20, step); n > rows*6/1000 {
			t.Errorf("%v allocations for %d cells", n, rows*6)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, e := range encodings {
		for _, c := range compressions {
			b.Run(fmt.Sprintf("%v,%v", e, c), func(b *testing.B) {
				o := options()
				o.Encoding, o.Compression = e, c
				cells := logCells(10_000)
				type raw struct{ row, value []byte }
				raws := make([]raw, len(cells))
				for i, c := range cells {
					raws[i] = raw{[]byte(c.row), []byte(c.value)}
				}
				b.ReportAllocs()
				var bytes int64
				for b.Loop() {
					w, err := hfile.NewWriter(io.Discard, o)
					if err != nil {
						b.Fatal(err)
					}
					for i, c := range cells {
						if err := w.Append(raws[i].row, c.qualifier, c.timestamp, raws[i].value); err != nil {
							b.Fatal(err)
						}
					}
					s, err := w.Close()
					if err != nil {
						b.Fatal(err)
					}
					bytes = s.Bytes
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(cells)), "ns/cell")
				b.ReportMetric(float64(bytes)/10_000, "bytes/row")
			})
		}
	}
}

// Cells that are made from the input: in order all are in the file, otherwise exactly those that
// sort behind the last one accepted.
func FuzzCells(f *testing.F) {
	f.Add([]byte("\x01a\x01q\x05\x01v\x01b\x01q\x05\x01v"), byte(4), byte(0))
	f.Add([]byte("\x02ab\x00\x05\x00\x01a\x01q\x05\x01v"), byte(0), byte(1))
	f.Add([]byte("\x01a\x01q\x05\x01v\x01a\x01q\x05\x01w\x01a\x01q\x04\x01w"), byte(4), byte(2))
	f.Fuzz(func(t *testing.T, in []byte, encoding, compression byte) {
		o := options()
		o.BlockBytes = 1 << 10
		o.Encoding, o.Compression = hfile.Encoding(encoding%2*4), compressions[int(compression)%len(compressions)]
		var out bytes.Buffer
		w, err := hfile.NewWriter(&out, o)
		if err != nil {
			t.Fatal(err)
		}
		take := func() string {
			if len(in) == 0 {
				return ""
			}
			n := min(int(in[0]), len(in)-1)
			s := in[1 : 1+n]
			in = in[1+n:]
			return string(s)
		}
		var want []cell
		for len(in) > 0 {
			c := cell{row: take(), qualifier: take()}
			if len(in) > 0 {
				c.timestamp, in = uint64(in[0])<<(in[0]%50), in[1:]
			}
			c.value = take()
			ok := c.row != "" && (len(want) == 0 || after(want[len(want)-1], c))
			if err := w.Append([]byte(c.row), c.qualifier, c.timestamp, []byte(c.value)); ok != (err == nil) {
				t.Fatalf("%+v: %v", c, err)
			}
			if ok {
				want = append(want, c)
			}
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := read(t, out.Bytes(), o.Family).cells; !slices.Equal(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// after reports whether b sorts behind a.
func after(a, b cell) bool {
	if a.row != b.row {
		return a.row < b.row
	}
	if a.qualifier != b.qualifier {
		return a.qualifier < b.qualifier
	}
	return a.timestamp > b.timestamp
}
