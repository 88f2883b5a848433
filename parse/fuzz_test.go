package parse

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"testing"

	"sluice/schema"
)

var fuzzFormats = []string{
	"combined", "common", "vhost_combined", "combinedio", "referer", "agent",
	`%h %l %u %t %r %>s %b`, `%m %U%q %H`, `%a:%{remote}p %v:%p`, `%h%l%u`, `%200t%q`, `"%u" %X%F %s`,
	`%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t %{end:%c}t`, `%{sec}t%{usec_frac}t "%r"`, `%{%a %A %e %k %I %p %y %C %j %s %Z}t`,
	`"%h %l %u %t "%r" %>s %b`, `ip=%h %l %u %t "%r" %>s %D`, `%v %h %{X-Forwarded-For}i %l %u %t "%r" %>s`, `%>s %{X-Forwarded-For}i %D`,
	`%h %{X-Forwarded-For}i %u %t %{end}t "%r" %>s`, `%{Referer}i %{User-Agent}i "%r" %>s "%{Host}i" %D`, `"%m %U%q %H" %{Via}i %D`,
	`pattern:^(?P<client>\S+) (?P<time>\[.*?\]) (?P<bytes>\S+)`,
}

var goldenLine = regexp.MustCompile(`(?m)^line ("(?:[^"\\]|\\.)*")$`)

// goldenLines returns the lines of the golden files, as seeds.
func goldenLines(f *testing.F) [][]byte {
	text, err := os.ReadFile("testdata/golden/hostile.txt")
	if err != nil {
		f.Fatal(err)
	}
	var lines [][]byte
	for _, m := range goldenLine.FindAllSubmatch(text, -1) {
		s, err := strconv.Unquote(string(m[1]))
		if err != nil {
			f.Fatal(err)
		}
		lines = append(lines, []byte(s))
	}
	if len(lines) < 50 {
		f.Fatalf("%d seeds", len(lines))
	}
	return lines
}

// checkRecord checks what holds for every record.
func checkRecord(t *testing.T, f *Format, line []byte, rec *schema.Record) {
	if len(rec.Values) != len(f.Fields()) || len(rec.Fields) != len(f.Fields()) {
		t.Fatalf("%d values of %d fields", len(rec.Values), len(f.Fields()))
	}
	for i := range rec.Values {
		v := &rec.Values[i]
		if (v.State == schema.InLine || v.State == schema.InQuery) && (v.Start > v.End || int(v.End) > len(line)) ||
			v.State == schema.InScratch && (v.Start > v.End || int(v.End) > len(rec.Scratch())) {
			t.Fatalf("%s is outside: %+v", rec.Fields[i].Name, v)
		}
		if _, ok := rec.Addr(i); ok && rec.Null(i) {
			t.Fatalf("%s is null and an address", rec.Fields[i].Name)
		}
	}
	checkValues(t, f, line, rec)
	if rec.Time < 0 || !rec.Dated && rec.Time != 0 || rec.Err.Offset < 0 || rec.Err.Offset > len(line) {
		t.Fatalf("time %d, dated %v, %v", rec.Time, rec.Dated, rec.Err)
	}
	if rec.Err.Set() && rec.Err.Directive == "" {
		t.Fatal("an error without a directive")
	}
}

func FuzzParse(f *testing.F) {
	var formats []*Format
	for _, text := range fuzzFormats {
		format, err := Lookup(text, nil)
		if err != nil {
			f.Fatal(err)
		}
		formats = append(formats, format)
	}
	for _, line := range goldenLines(f) {
		f.Add(line)
	}
	for _, s := range []string{
		"GET /a b?c=d HTTP/1.1", "2001:db8::1:80 [::1]:443", "17/May/2015 10:05:03.250 -0700 Sun May  7 10:05:03 2015",
		`1431857103000250 "GET / HTTP/1.1"`, "a -> b", "-?x",
		`192.0.2.1 - bob [25/Jun/2017:10:14:35 +0000] "GET /x HTTP/1.1" 200 1,513`, `www.example 192.0.2.1 198.51.100.9, 198.51.100.10 - bob [25/Jun/2017:10:14:35 +0000] "GET / HTTP/1.1" 200`,
		`192.0.2.1 198.51.100.9, 198.51.100.10 bob [25/Jun/2017:10:14:35 +0000] [25/Jun/2017:10:14:35 +0000] "GET / HTTP/1.1" 200`, "200 198.51.100.9, 198.51.100.10 77",
		`192.0.2.1 [25/Jun/2017:10:14:35 +0000] 4711 "GET /x HTTP/1.1" 200 1 "-" "curl"`, `192.0.2.1 -  joe  [25/Jun/2017:10:14:35 +0000]  "GET /x HTTP/1.1" 200 1 "-" "curl"`,
		`192.0.2.1 - - [25/Jun/2017:10:14:35 +0000] "GET /x HTTP/1.1" 200192.0.2.2 - - [25/Jun/2017:10:14:35 +0000] "GET /y HTTP/1.1" 404 3217 "-" "curl"`,
		`http://x/ Mozilla/5.0 (X11; Linux) "GET / HTTP/1.1" 200 "-" 7`,
	} {
		f.Add([]byte(s))
	}
	var rec, again schema.Record
	f.Fuzz(func(t *testing.T, line []byte) {
		was := bytes.Clone(line)
		for _, format := range formats {
			format.Parse(line, &rec)
			checkRecord(t, format, line, &rec)
			if !bytes.Equal(line, was) || !bytes.Equal(rec.Line, was) {
				t.Fatal("the line was changed")
			}
			// A reused record has the same values as a new one.
			again = schema.Record{}
			format.Parse(line, &again)
			if dump(&rec) != dump(&again) {
				t.Fatalf("used\n%s\nnew\n%s", dump(&rec), dump(&again))
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	lines := goldenLines(f)
	for _, text := range fuzzFormats {
		f.Add(text, lines[0])
	}
	for _, text := range nicknames {
		f.Add(text, lines[1])
	}
	f.Add(`%400,501{User-agent}i %!200X %{X}^ti %^FB %{begin:%s}t %%`, []byte("a + b - 1"))
	var rec schema.Record
	f.Fuzz(func(t *testing.T, text string, line []byte) {
		format, err := Compile(text)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, field := range format.Fields() {
			if seen[field.Name] || !plainName(field.Name) || reserved(field.Name) {
				t.Fatalf("a field called %q", field.Name)
			}
			seen[field.Name] = true
		}
		format.Parse(line, &rec)
		checkRecord(t, format, line, &rec)
	})
}

func FuzzCompilePattern(f *testing.F) {
	lines := goldenLines(f)
	f.Add(`^(?P<client>\S+) \S+ (?P<user>.*?) \[(?P<time>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d+)`, lines[0])
	f.Add(`(?P<a>[\xe9-\xff]+)(?P<b>é)?`, []byte("\xe9"))
	f.Add(`(?P<bytes>.*)`, []byte("-"))
	f.Add(`(?P<a>(x+x+)+y)`, []byte("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
	var rec schema.Record
	f.Fuzz(func(t *testing.T, expr string, line []byte) {
		format, err := compilePattern(expr, nil)
		if err != nil || len(line) > 1000 {
			return
		}
		format.Parse(line, &rec)
		checkRecord(t, format, line, &rec)
	})
}
