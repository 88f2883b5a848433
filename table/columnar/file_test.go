package columnar

import (
	"bytes"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"sluice/bench/sample"
	"sluice/parse"
	"sluice/schema"
)

// testLog is a stream with its lines.
type testLog struct {
	schema.StreamEntry
	data []byte
}

func newLog(host, path, format string, data []byte) testLog {
	s := testLog{data: data}
	s.Stream = schema.Stream{ID: schema.NewStreamID(host, 1, 2, []byte(path)), Host: host, Path: path, Format: format}
	return s
}

func (s *testLog) parser(t testing.TB) *parse.Format {
	t.Helper()
	f, err := parse.Lookup(s.Format, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// put encodes data, which begins at offset of the stream, and appends it to w.
func (s *testLog) put(t testing.TB, w *Writer, e *Encoder, f *parse.Format, offset int64, data []byte) {
	t.Helper()
	var c Chunk
	var rec schema.Record
	bad, at := 0, offset
	for len(data) > 0 {
		line, start, size, ok := schema.CutLine(data)
		if ok {
			f.Parse(line, &rec)
			e.Append(&c, at+int64(start), &rec)
			if rec.Err.Set() {
				bad++
			}
		}
		data, at = data[size:], at+int64(size)
	}
	if err := w.Append(&s.Stream, s.Labels, schema.Range{Start: offset, End: at}, bad, &c); err != nil {
		t.Fatal(err)
	}
}

// parts splits the data into parts of whole lines of about bytesEach bytes.
func (s *testLog) parts(bytesEach int) (parts [][]byte) {
	for data := s.data; len(data) > 0; {
		n := min(bytesEach, len(data))
		if i := bytes.IndexByte(data[n-1:], '\n'); i >= 0 {
			n += i
		} else {
			n = len(data)
		}
		parts, data = append(parts, data[:n]), data[n:]
	}
	return parts
}

// file writes the logs to a file, alternating between parts of each.
func file(t testing.TB, o WriterOptions, e EncoderOptions, bytesEach int, sources ...testLog) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, o)
	type state struct {
		*testLog
		f       *parse.Format
		e       *Encoder
		parts   [][]byte
		written int64
	}
	var states []*state
	for i := range sources {
		s := &state{testLog: &sources[i], f: sources[i].parser(t), parts: sources[i].parts(bytesEach)}
		var err error
		if s.e, err = NewEncoder(&s.Stream, s.Labels, s.f, e); err != nil {
			t.Fatal(err)
		}
		states = append(states, s)
	}
	for more := true; more; {
		more = false
		for _, s := range states {
			if len(s.parts) > 0 {
				s.put(t, w, s.e, s.f, s.written, s.parts[0])
				s.written += int64(len(s.parts[0]))
				s.parts = s.parts[1:]
				more = true
			}
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

type place struct {
	id     schema.StreamID
	offset int64
}

// linesOf returns all lines of a file by position, and checks their order.
func linesOf(t testing.TB, f *File) map[place]string {
	t.Helper()
	lines := map[place]string{}
	var b Batch
	for g := range f.Groups() {
		if err := f.Read(g, nil, &b); err != nil {
			t.Fatal(err)
		}
		addLines(t, &b, lines)
	}
	return lines
}

func addLines(t testing.TB, b *Batch, lines map[place]string) {
	t.Helper()
	var e schema.Entry
	var last [3]int64
	for i := range b.Rows {
		if err := b.Entry(i, &e); err != nil {
			t.Fatal(err)
		}
		p := place{e.Stream.ID, e.Offset}
		if _, twice := lines[p]; twice {
			t.Fatalf("two lines at %v", p)
		}
		lines[p] = string(e.Record.Line)
		key := [3]int64{e.Record.Time, int64(p.id >> 1), p.offset}
		if slices.Compare(key[:], last[:]) < 0 {
			t.Fatalf("row %d: %v is behind %v", i, key, last)
		}
		last = key
	}
}

func (s *testLog) want(lines map[place]string) {
	offset := int64(0)
	for data := s.data; len(data) > 0; {
		line, at, size, ok := schema.CutLine(data)
		if ok {
			lines[place{s.ID, offset + int64(at)}] = string(line)
		}
		data, offset = data[size:], offset+int64(size)
	}
}

func compareLines(t *testing.T, got, want map[place]string) {
	t.Helper()
	for p, line := range want {
		if have, ok := got[p]; !ok || have != line {
			t.Fatalf("at %v: %q, want %q", p, have, line)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
}

func sampleLog(t testing.TB, seed uint64, lines int) []byte {
	t.Helper()
	b, err := io.ReadAll(sample.New(seed, lines))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLinesAreReadBackByteForByte writes several streams and formats to one file with several row
// groups; not all streams have the same labels.
func TestLinesAreReadBackByteForByte(t *testing.T) {
	hostile, err := os.ReadFile("../../parse/testdata/hostile.log")
	if err != nil {
		t.Log(err)
	}
	sources := []testLog{
		newLog("a", "/one.log", "combined", sampleLog(t, 1, 30_000)),
		newLog("b", "/two.log", "combined", append(sampleLog(t, 2, 3_000), hostile...)),
		newLog("b", "/three.log", "%h %l %u %{sec}t \"%m %U%q %H\" %>s %D", []byte("1.2.3.4 - - 1760000000 \"GET /a?b HTTP/1.1\" 200 17\n::1 - \"\" 1760000000 \"GET /a HTTP/1.1\" - -\nbad\n")),
		newLog("c", "/four.log", "pattern:(?P<offset>[0-9]+) (?P<status>[a-z]+)", []byte("12 ok\n13 bad\nnothing\n")),
	}
	sources[1].Labels = map[string]string{"site": "shop", "a": "\xff"}
	got := linesOf(t, open(t, file(t, WriterOptions{Segment: "x", RowGroupRows: 10_000}, EncoderOptions{}, 1<<17, sources...)))
	want := map[place]string{}
	for i := range sources {
		sources[i].want(want)
	}
	compareLines(t, got, want)
}
