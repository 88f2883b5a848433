package columnar

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

var seed = flag.Uint64("seed", 0, "seed of the random files; 0 is a new one each run")

// formats are the formats of the random lines.
var formats = []string{
	"combined", "common", "vhost_combined", "combinedio", "agent", "referer", "syslog:combined",
	`%h %l %u %{sec}t.%{msec_frac}t "%m %U%q %H" %>s %D %X`,
	`%a %{%d/%b/%Y:%H:%M:%S %z}t "%r" %s %{Referer}i %{zone}n`,
	`%{%Y-%m-%dT%T}t.%{usec_frac}t %v:%p "%{X}i" %T %{c}a`,
	`pattern:(?P<time>[0-9]+) (?P<status>[a-z]+) (?P<label_x>.*)`,
}

// randomLine returns a log line, sometimes one with errors.
func randomLine(rng *rand.Rand) string {
	one := func(all ...string) string { return all[rng.IntN(len(all))] }
	text := func() string {
		var b strings.Builder
		for range rng.IntN(6) {
			b.WriteString(one("a", "b", "/", "?", " ", `\"`, `\\`, `\xff`, `\n`, `\x0a`, "\xff", "ä", "\t", `\`, "-", "é\u2028"))
		}
		return b.String()
	}
	stamp := time.Unix(rng.Int64N(2e9), 0).In(time.FixedZone("", (rng.IntN(24*4)-12*4)*15*60))
	when := one(stamp.Format("[02/Jan/2006:15:04:05 -0700]"), stamp.Format("[02/Jan/2006:15:04:05 -0700]"), "[31/Feb/2026:00:00:00 +0000]", "-", stamp.Format("02/Jan/2006:15:04:05 -0700"))
	request := one("GET /"+text()+" HTTP/1.1", "GET /"+text(), text(), "-", "GET  /x HTTP/1.0")
	number := one("-", "0", "200", "007", "-5", "123456789012345678", "99999999", "1234567")
	combined := fmt.Sprintf(`%s %s %s %s "%s" %s %s "%s" "%s"`,
		one("1.2.3.4", "::1", "a.example", "-", "01.2.3.4"), one("-", "-", "id"), one("-", `""`, "u v", text()), when, request,
		one("200", "404", "-"), number, one("-", text()), one("-", "curl/8", text()))
	switch rng.IntN(12) {
	case 0:
		return combined[:rng.IntN(len(combined))]
	case 1:
		return text()
	case 2:
		return combined + " 17 18"
	case 3:
		return "www.example:443 " + combined
	case 4:
		return "<134>Oct 11 22:14:15 host httpd[1]: " + combined
	case 5:
		return fmt.Sprintf(`1.2.3.4 - - %d.%03d "GET /%s?%s HTTP/1.1" 200 %s +`, stamp.Unix(), rng.IntN(1000), text(), text(), number)
	case 6:
		return stamp.Format("1.2.3.4 02/Jan/2006:15:04:05 -0700 ") + `"` + request + `" 200 - ` + text()
	case 7:
		return stamp.Format("2006-01-02T15:04:05.000000") + ` a.example:80 "` + text() + `" 3 1.2.3.4`
	case 8:
		return fmt.Sprint(stamp.Unix(), " ok ", text())
	case 9:
		return combined + "\r"
	}
	return combined
}

// randomLogs returns logs of several hosts and formats, with random first offsets.
func randomLogs(rng *rand.Rand) []testLog {
	var logs []testLog
	for i := range 1 + rng.IntN(4) {
		var b bytes.Buffer
		for range rng.IntN(400) {
			if rng.IntN(60) == 0 {
				b.Write(make([]byte, 1+rng.IntN(3))) // a gap of NUL bytes
			}
			b.WriteString(strings.ReplaceAll(randomLine(rng), "\n", ""))
			b.WriteByte('\n')
		}
		l := newLog(fmt.Sprint("host", rng.IntN(2)), fmt.Sprint("/log", i), formats[rng.IntN(len(formats))], b.Bytes())
		if rng.IntN(2) == 0 {
			l.Labels = map[string]string{"site": fmt.Sprint(i), "x": "\xfe"}
		}
		logs = append(logs, l)
	}
	return logs
}

// TestRandomLogsAreReadBack checks that rows come back byte for byte and field by field, in any
// format and however they are split into chunks; that the same segment makes the same bytes; and
// that a merged file has the rows of its parts.
func TestRandomLogsAreReadBack(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 3))
	for range 60 {
		logs := randomLogs(rng)
		o := WriterOptions{Segment: "s", RowGroupRows: 1 + rng.IntN(500)}
		e := EncoderOptions{AllLines: rng.IntN(8) == 0}
		b := file(t, o, e, 1+rng.IntN(20_000), logs...)
		want := map[place]string{}
		for i := range logs {
			logs[i].want(want)
		}
		f := open(t, b)
		compareLines(t, linesOf(t, f), want)
		checkFields(t, f)
		if len(logs) == 1 && !bytes.Equal(b, file(t, o, e, 1+rng.IntN(20_000), logs...)) {
			t.Fatal("other bytes when the chunks are cut in another way")
		}
		other := newLog("host3", "/other", "combined", []byte(randomLine(rng)+"\n"))
		other.want(want)
		merged := mergeFiles(t, f, open(t, file(t, WriterOptions{}, EncoderOptions{}, 1000, other)))
		compareLines(t, linesOf(t, merged), want)
		checkFields(t, merged)
	}
}

// checkFields compares the columns of a file with the records of its lines.
func checkFields(t *testing.T, f *File) {
	t.Helper()
	var b Batch
	var e schema.Entry
	for g := range f.Groups() {
		if err := f.Read(g, nil, &b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			if err := b.Entry(i, &e); err != nil {
				t.Fatal(err)
			}
			checkRow(t, &b, i, &e)
		}
	}
}

func checkRow(t *testing.T, b *Batch, i int, e *schema.Entry) {
	t.Helper()
	rec := e.Record
	times := b.Column(schema.TimeField)
	if times.Null(i) == rec.Dated || rec.Dated && times.Ints[i] != rec.Time {
		t.Fatalf("%q: time %d", rec.Line, times.Ints[i])
	}
	if zone := b.Column(zoneColumn).Ints[i]; zone != int64(rec.ZoneSeconds) {
		t.Fatalf("%q: zone %d, want %d", rec.Line, zone, rec.ZoneSeconds)
	}
	if errs := b.Column(schema.ParseErrorField); errs.Null(i) == rec.Err.Set() {
		t.Fatalf("%q: parse error %v", rec.Line, rec.Err)
	} else if rec.Err.Set() && string(errs.Dict[errs.Codes[i]]) != rec.Err.Error() {
		t.Fatalf("%q: parse error %q, want %q", rec.Line, errs.Dict[errs.Codes[i]], rec.Err.Error())
	}
	for j, field := range rec.Fields {
		if field.Derived || field.Name == schema.TimeField && field.Kind == schema.Time {
			continue
		}
		n := b.find(ColumnName(field), field.Kind)
		if n < 0 {
			n = b.find(kindName(ColumnName(field), field.Kind), field.Kind)
		}
		c := &b.columns[n]
		if c.Null(i) != rec.Null(j) {
			t.Fatalf("%q: %s is null: %v", rec.Line, field.Name, c.Null(i))
		}
		if rec.Null(j) {
			continue
		}
		if !isText(field.Kind) {
			if c.Ints[i] != rec.Values[j].Num {
				t.Fatalf("%q: %s is %d, want %d", rec.Line, field.Name, c.Ints[i], rec.Values[j].Num)
			}
			continue
		}
		if got, want := string(c.Dict[c.Codes[i]]), string(schema.AppendUTF8(nil, rec.Bytes(j))); got != want {
			t.Fatalf("%q: %s is %q, want %q", rec.Line, field.Name, got, want)
		}
	}
}

// mergeFiles merges files like a compaction.
func mergeFiles(t *testing.T, files ...*File) *File {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Replaces: []string{"a", "b"}, RowGroupRows: 300})
	for _, f := range files {
		for i := range f.Meta().Streams {
			w.addRanges(&f.Meta().Streams[i])
		}
	}
	var batches [2]Batch
	for i, f := range files {
		for g := range f.Groups() {
			b := &batches[i]
			if err := f.Read(g, nil, b); err != nil {
				t.Fatal(err)
			}
			var rows []int32
			for row := range b.Rows {
				rows = append(rows, int32(row))
			}
			for len(rows) > 0 {
				n := min(len(rows), 100)
				if err := w.appendMerged(b, rows[:n]); err != nil {
					t.Fatal(err)
				}
				rows = rows[n:]
			}
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, out.Bytes())
}

// TestFileOfASegmentIsTheFileOfItsLines checks that FromSegment makes the same bytes as a Writer
// that gets the lines as they arrive.
func TestFileOfASegmentIsTheFileOfItsLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 10 {
		logs := randomLogs(rng)
		path := filepath.Join(t.TempDir(), "h", "20260902-1.gz")
		seg, err := segment.Create(vfs.OS{}, path)
		if err != nil {
			t.Fatal(err)
		}
		gz, err := segment.NewEncoder(1)
		if err != nil {
			t.Fatal(err)
		}
		o := WriterOptions{Segment: "h/20260902-1.gz", RowGroupRows: 200}
		var live, again bytes.Buffer
		w := NewWriter(&live, o)
		for i := range logs {
			l := &logs[i]
			f := l.parser(t)
			e, err := NewEncoder(&l.Stream, l.Labels, f, EncoderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			offset := int64(0)
			for _, part := range l.parts(5000) {
				l.put(t, w, e, f, offset, part)
				r := schema.Range{Start: offset, End: offset + int64(len(part))}
				b := schema.Batch{Stream: &l.Stream, Labels: l.Labels, Range: r, Data: part, Lines: bytes.Count(part, []byte("\n"))}
				if _, err := seg.Append(gz, b); err != nil {
					t.Fatal(err)
				}
				offset = r.End
			}
		}
		meta, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := seg.Seal()
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(sealed)
		if err != nil {
			t.Fatal(err)
		}
		metaAgain, err := FromSegment(t.Context(), bytes.NewReader(b), int64(len(b)), &again, o, EncoderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(live.Bytes(), again.Bytes()) {
			t.Fatalf("%d other bytes of %d\n%+v\n%+v", again.Len(), live.Len(), metaAgain, meta)
		}
	}
}

// TestMemoryOfAWriterIsBounded checks that long, distinct lines end row groups early.
func TestMemoryOfAWriterIsBounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	var b bytes.Buffer
	for range 2000 {
		fmt.Fprintf(&b, "1.2.3.4 - - [02/Sep/2026:12:38:50 +0200] \"GET /%x HTTP/1.1\" 200 5 \"-\" \"-\"\n", bytes.Repeat(fmt.Append(nil, rng.Uint64()), 600))
	}
	l := newLog("h", "/long", "combined", b.Bytes())
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{})
	f := l.parser(t)
	e, err := NewEncoder(&l.Stream, nil, f, EncoderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	offset, most := int64(0), 0
	for _, part := range l.parts(1 << 20) {
		l.put(t, w, e, f, offset, part)
		offset += int64(len(part))
		most = max(most, w.MemoryBytes())
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if limit := 4 * maxGroupTextBytes; most > limit {
		t.Errorf("%d bytes of memory for a log of %d, limit %d", most, b.Len(), limit)
	}
	got, want := linesOf(t, open(t, out.Bytes())), map[place]string{}
	l.want(want)
	compareLines(t, got, want)
}

// TestEncodingALineAllocatesNothing checks that encoding does not allocate when the chunk has
// enough capacity.
func TestEncodingALineAllocatesNothing(t *testing.T) {
	l := newLog("h", "/log", "combined", sampleLog(t, 1, 1000))
	f := l.parser(t)
	e, err := NewEncoder(&l.Stream, nil, f, EncoderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var c Chunk
	var rec schema.Record
	encode := func() {
		c.Reset()
		offset := int64(0)
		for data := l.data; len(data) > 0; {
			line, _, size, _ := schema.CutLine(data)
			f.Parse(line, &rec)
			e.Append(&c, offset, &rec)
			data, offset = data[size:], offset+int64(size)
		}
	}
	for range 40 {
		encode()
	}
	if n := testing.AllocsPerRun(20, encode); n > 4 {
		t.Errorf("%v allocations for 1000 lines", n)
	}
	var b Batch
	if err := b.FromChunks(&c); err != nil {
		t.Fatal(err)
	}
	var line []byte
	read := func() {
		for i := range b.Rows {
			if line, err = b.Line(line[:0], i); err != nil {
				t.Fatal(err)
			}
		}
	}
	read()
	if n := testing.AllocsPerRun(20, read); n > 0 {
		t.Errorf("%v allocations to rebuild 1000 lines", n)
	}
}

// FuzzLine checks that an encoded line comes back, in each format.
func FuzzLine(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		f.Add([]byte(randomLine(rng)), uint8(rng.IntN(len(formats))))
	}
	f.Fuzz(func(t *testing.T, line []byte, which uint8) {
		l := newLog("h", "/log", formats[int(which)%len(formats)], nil)
		format := l.parser(t)
		e, err := NewEncoder(&l.Stream, nil, format, EncoderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var rec schema.Record
		var c Chunk
		format.Parse(line, &rec)
		e.Append(&c, 7, &rec)
		var b Batch
		if err := b.FromChunks(&c); err != nil {
			t.Fatal(err)
		}
		back, err := b.Line(nil, 0)
		if err != nil || !bytes.Equal(back, line) {
			t.Fatalf("%q: %v, want %q", back, err, line)
		}
	})
}

// FuzzFile reads damaged columnar files: no panic, and no error but ErrFile.
func FuzzFile(f *testing.F) {
	l := newLog("h", "/log", "%h %>s", []byte("1.2.3.4 200\n::1 -\nx\n"))
	f.Add(file(f, WriterOptions{Segment: "s"}, EncoderOptions{}, 300, l))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := OpenFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Fatal(err)
			}
			return
		}
		var batch Batch
		var e schema.Entry
		for g := range file.Groups() {
			file.pages(g)
			if err := file.Read(g, nil, &batch); err != nil {
				continue
			}
			for i := range batch.Rows {
				_ = batch.Entry(i, &e)
			}
		}
	})
}
