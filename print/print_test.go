package print

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/parse"
	"sluice/query"
	"sluice/schema"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; -rewrite writes it anew. Got:\n%s", path, got)
	}
}

func lookup(t testing.TB, name string) *parse.Format {
	t.Helper()
	f, err := parse.Lookup(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const ordinary = `10.1.2.3 - frank [17/May/2015:10:05:03 +0200] "GET /a?x=1 HTTP/1.1" 200 2326 "http://example.org/" "Mozilla/5.0 (X11)"`

// hostile are lines that an output may not escape correctly: one entry of the combined format each.
var hostile = []string{
	ordinary,
	`2001:db8::1 - - [17/May/2015:10:05:04 +0000] "GET / HTTP/1.0" 304 - "-" ""`,
	`web.example.org - "" [17/May/2015:10:05:05 -0330] "POST /\xc3\xa4\xff\x00\x7f\xc2\x85 HTTP/1.1" 500 0 "\"quoted\", and\ttab" "line\r\nfeed \\N \\xff"`,
	`10.1.2.3 - - [17/May/2015:10:05:06 +0000] "-" 408 - "-" "-"`,
	`10.1.2.3 - - [17/May/2015:10:05:07 +0000] "\x16\x03\x01" 400 226 "-" "-"`,
	`10.1.2.3 - - [17/May/2015:10:05:08 +0000] "" 400 226 "-" "=cmd|' /C calc'!A0"`,
	"10.1.2.3 - a,b [17/May/2015:10:05:09 +0000] \"GET /raw\xff\x00\x1b[31m\xe2\x82\xac HTTP/1.1\" 200 1 \"-\" \"a,b;c\td\"",
	`10.1.2.3 - - [17/May/2015:25:05:10 +0000] "GET /broken HTTP/1.1" 2x0 1 "-" "-"`,
	`not a log line at all`,
	``,
	`10.1.2.3 - - [17/May/2015:10:05:11 +0000] "GET /` + strings.Repeat("long/", 60) + ` HTTP/1.1" 200 9223372036854 "-" "-"`,
}

// entries parses the hostile lines.
func entries(t testing.TB) []*schema.Entry {
	f := lookup(t, "combined")
	stream := &schema.Stream{ID: 0xab, Host: `web"01`, Path: "/var/log/access.log"}
	var entries []*schema.Entry
	offset := int64(0)
	for _, line := range hostile {
		rec := &schema.Record{}
		f.Parse([]byte(line), rec)
		entries = append(entries, &schema.Entry{Stream: stream, Offset: offset, Record: rec})
		offset += int64(len(line)) + 1
	}
	return entries
}

func output(t testing.TB, kind string, o Options, entries []*schema.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	p, err := New(&b, kind, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := p.Print(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryOutputOfHostileLines(t *testing.T) {
	combined := lookup(t, "combined").Fields()
	some := Options{Formats: [][]schema.Field{combined}, Fields: []string{"request", "status", "query", "time", "offset", "stream", "file", "host", "parse_error"}}
	for _, kind := range []string{"json", "avrojson", "csv", "tsv", "table", "raw"} {
		parse := Options{Formats: [][]schema.Field{combined}}
		scan := parse
		scan.Host, scan.Zone = true, time.FixedZone("", 3600)
		golden(t, "parse."+kind, output(t, kind, parse, entries(t)))
		if kind == "raw" || kind == "avrojson" {
			continue // have no other columns
		}
		golden(t, "scan."+kind, output(t, kind, scan, entries(t)))
		golden(t, "fields."+kind, output(t, kind, some, entries(t)))
	}
}

// TestFormatsInOneOutput prints entries of two formats: a field is a number in one of them and text
// in the other.
func TestFormatsInOneOutput(t *testing.T) {
	a := lookup(t, "common")
	o := Options{Formats: [][]schema.Field{a.Fields(), {{Name: "vhost"}, {Name: "bytes"}}}}
	entry := func(f *parse.Format, line string) *schema.Entry {
		rec := &schema.Record{}
		f.Parse([]byte(line), rec)
		return &schema.Entry{Stream: &schema.Stream{Host: "web01"}, Record: rec}
	}
	texts := entry(a, "www many")
	texts.Record.Reset([]byte("www many"), o.Formats[1])
	texts.Record.Values[0] = schema.Value{Start: 0, End: 3, State: schema.InLine}
	texts.Record.Values[1] = schema.Value{Start: 4, End: 8, State: schema.InLine}
	list := []*schema.Entry{entry(a, `::1 - - [17/May/2015:10:05:04 +0000] "GET / HTTP/1.0" 304 17`), texts}
	for _, kind := range []string{"json", "avrojson", "csv", "table"} {
		golden(t, "formats."+kind, output(t, kind, o, list))
	}
}

func TestOutputsWithoutRecords(t *testing.T) {
	o := Options{Fields: []string{"status", "path"}}
	for kind, want := range map[string]string{"json": "", "raw": "", "avrojson": "", "csv": "status,path\n", "tsv": "status\tpath\n", "table": "status  path\n"} {
		if got := output(t, kind, o, nil); string(got) != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	if _, err := New(nil, "xml", Options{}); !errors.Is(err, errKind) || !strings.Contains(err.Error(), "use one of raw, json") {
		t.Errorf("%v", err)
	}
	_, err := New(nil, "csv", Options{Fields: []string{"stauts"}, Formats: [][]schema.Field{lookup(t, "common").Fields()}})
	if !errors.Is(err, query.ErrFilter) || !strings.Contains(err.Error(), "status") {
		t.Errorf("%v", err)
	}
}

// longLine returns a line of the maximum length that Apache writes.
func longLine(t *testing.T) *schema.Entry {
	rec := &schema.Record{}
	lookup(t, "combined").Parse([]byte(strings.Replace(ordinary, "/a?", "/"+strings.Repeat(`\xc3\xa4`, 98<<10/8)+"?", 1)), rec)
	if rec.Err.Set() {
		t.Fatal(rec.Err)
	}
	return &schema.Entry{Stream: &schema.Stream{}, Record: rec}
}

func TestOnlyTablesCutLongValues(t *testing.T) {
	e := longLine(t)
	path := "/" + strings.Repeat("ä", 98<<10/8) + "?x=1"
	o := Options{Formats: [][]schema.Field{lookup(t, "combined").Fields()}, Fields: []string{"path"}, Width: 40}
	for kind, want := range map[string]string{
		"json": `{"path":"` + path + "\"}\n", "avrojson": `{"path":{"string":"` + path + "\"}}\n", "csv": "path\n" + path + "\n", "tsv": "path\n" + path + "\n",
		"table": "path\n/" + strings.Repeat("ä", 38) + "…\n", "raw": string(e.Record.Line) + "\n",
	} {
		if got := output(t, kind, o, []*schema.Entry{e}); string(got) != want {
			t.Errorf("%s: %d bytes, %.100q, want %d", kind, len(got), got, len(want))
		}
	}
}

// TestLaterRowsOfATable checks that the first rows determine the columns, and that a note at the
// end names columns that were null in all of them but not later.
func TestLaterRowsOfATable(t *testing.T) {
	o := Options{Formats: [][]schema.Field{lookup(t, "combined").Fields()}, HeadRows: 2, Width: 120}
	all := entries(t)
	golden(t, "later.table", output(t, "table", o, append([]*schema.Entry{all[1], all[1]}, all...)))
	o.HeadRows, o.AllColumns = 1, true
	golden(t, "follow.table", output(t, "table", o, all))
}

// failingWriter fails after a number of bytes.
type failingWriter struct{ left int }

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestAWriterThatFailsIsReported(t *testing.T) {
	for _, kind := range []string{"json", "avrojson", "avro", "csv", "tsv", "table", "raw"} {
		for _, left := range []int{0, 10, 1000} {
			p, err := New(&failingWriter{left}, kind, Options{Formats: [][]schema.Field{lookup(t, "combined").Fields()}})
			if err != nil {
				continue // avro writes its header immediately
			}
			for _, e := range entries(t) {
				err = errors.Join(err, p.Print(e))
			}
			if err = errors.Join(err, p.Close()); err == nil || !strings.Contains(err.Error(), "disk full") {
				t.Errorf("%s: %v after %d bytes", kind, err, left)
			}
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func TestPrintingDoesNotAllocate(t *testing.T) {
	combined := lookup(t, "combined").Fields()
	list := entries(t)
	for _, o := range []Options{{Formats: [][]schema.Field{combined}, Host: true}, {Formats: [][]schema.Field{combined}, Fields: []string{"time", "stream", "file", "offset", "request", "parse_error"}}} {
		for _, kind := range []string{"json", "avrojson", "csv", "tsv", "raw"} {
			p, err := New(discard{}, kind, o)
			if err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(50, func() {
				for _, e := range list {
					if err := p.Print(e); err != nil {
						t.Fatal(err)
					}
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations a record", kind, n)
			}
		}
	}
}

func BenchmarkPrint(b *testing.B) {
	e := entries(b)[0]
	for _, kind := range []string{"json", "avrojson", "avro", "csv", "tsv", "raw"} {
		b.Run(kind, func(b *testing.B) {
			p, err := New(discard{}, kind, Options{Formats: [][]schema.Field{e.Record.Fields}})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := p.Print(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
