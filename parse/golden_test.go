package parse

import (
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sluice/schema"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// Each file under testdata/golden holds cases, separated by empty lines:
//
//	# what is odd about the line
//	format combined
//	line "GET /" 3*"abc"
//	client  addr  "198.51.100.1"
//
// The line is Go strings, each with an optional repetition. The record follows: field, type and null,
// or the value in quotes; numbers and times (ns since 1970) without quotes; long values by length and
// checksum.
func TestGoldenRecords(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, c := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
				all = append(all, runGolden(t, c))
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.Join(all, "\n\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// runGolden parses one case and returns it with the record as it came out.
func runGolden(t *testing.T, text string) string {
	t.Helper()
	parts := strings.SplitN(text, "\n", 4)
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "# ") || !strings.HasPrefix(parts[1], "format ") || !strings.HasPrefix(parts[2], "line ") {
		t.Fatalf("a case starts with '# NAME', 'format …' and 'line …':\n%.200s", text)
	}
	f, err := Lookup(parts[1][len("format "):], nil)
	if err != nil {
		t.Fatal(err)
	}
	line := unquoteLine(t, parts[2][len("line "):])
	var rec schema.Record
	f.Parse([]byte(line), &rec)
	if string(rec.Line) != line {
		t.Errorf("%s: the line was changed", parts[0])
	}
	got := strings.Join(parts[:3], "\n") + "\n" + dump(&rec)
	if got != text && !*rewrite {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	return got
}

func unquoteLine(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		n := 1
		if times, rest, ok := strings.Cut(s, "*"); ok && s[0] != '"' {
			var err error
			if n, err = strconv.Atoi(times); err != nil {
				t.Fatal(err)
			}
			s = rest
		}
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			t.Fatalf("%v: %.100s", err, s)
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Repeat(text, n))
		s = s[len(quoted):]
	}
	return b.String()
}

// dump returns a record in the format of the golden files.
func dump(rec *schema.Record) string {
	var b strings.Builder
	for i, f := range rec.Fields {
		fmt.Fprintf(&b, "%-12s %-5s %s\n", f.Name, f.Kind, dumpValue(rec, i))
	}
	if rec.Dated {
		fmt.Fprintf(&b, "dated %d zone %d\n", rec.Time, rec.ZoneSeconds)
	} else {
		b.WriteString("undated\n")
	}
	if rec.Err.Set() {
		fmt.Fprintf(&b, "parse_error %v\n", rec.Err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func dumpValue(rec *schema.Record, i int) string {
	v := &rec.Values[i]
	if rec.Null(i) {
		return "null"
	}
	text := rec.Bytes(i)
	switch kind := rec.Fields[i].Kind; {
	case kind == schema.Int || kind == schema.Time:
		return strconv.FormatInt(v.Num, 10)
	case len(text) > 200:
		return fmt.Sprintf("%.20q… of %d bytes, crc32 %08x", text, len(text), crc32.ChecksumIEEE(text))
	case kind == schema.Addr:
		if a, ok := rec.Addr(i); ok {
			return fmt.Sprintf("%q = %s", text, a)
		}
	}
	return strconv.Quote(string(rec.Bytes(i)))
}
