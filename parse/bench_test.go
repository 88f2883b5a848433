package parse

import (
	"bytes"
	"hash/crc32"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sluice/schema"
)

// benchLine has 226 bytes with its newline, the mean of the log of docs/benchmarks.md.
const benchLine = `198.51.100.23 - - [17/May/2015:10:05:03 +0000] "GET /presentations/2013/images/kibana-search.png HTTP/1.1" 200 203023 "http://example.com/presentations/2013/" "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox"`

// benchPattern is combined as a regular expression.
const benchPattern = `^(?P<client>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d+|-) (?P<bytes>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"$`

func benchParse(b *testing.B, format, line string) schema.Record {
	f, err := Lookup(format, nil)
	if err != nil {
		b.Fatal(err)
	}
	var rec schema.Record
	text := []byte(line)
	b.SetBytes(int64(len(line) + 1))
	b.ReportAllocs()
	for b.Loop() {
		f.Parse(text, &rec)
	}
	return rec
}

func BenchmarkParseCombined(b *testing.B) {
	if rec := benchParse(b, "combined", benchLine); rec.Err.Set() {
		b.Fatal(rec.Err)
	}
}

func BenchmarkParseCommon(b *testing.B) {
	line, _, _ := strings.Cut(benchLine, ` "http`)
	if rec := benchParse(b, "common", line); rec.Err.Set() {
		b.Fatal(rec.Err)
	}
}

func BenchmarkParseEscaped(b *testing.B) {
	if rec := benchParse(b, "combined", strings.ReplaceAll(benchLine, "Gecko", `\"Gecko\"`)); rec.Err.Set() {
		b.Fatal(rec.Err)
	}
}

func BenchmarkParseMalformed(b *testing.B) {
	if rec := benchParse(b, "combined", strings.Replace(benchLine, " 200 ", " abc ", 1)); !rec.Err.Set() {
		b.Fatal("no error")
	}
}

func BenchmarkParsePattern(b *testing.B) {
	if rec := benchParse(b, PatternPrefix+benchPattern, benchLine); rec.Err.Set() {
		b.Fatal(rec.Err)
	}
}

// BenchmarkPatternUndecided is the rate of lines that a pattern cannot decide.
func BenchmarkPatternUndecided(b *testing.B) {
	f, err := compilePattern(`^(?P<a>(\S+)+)(?= )y`, nil)
	if err != nil {
		b.Fatal(err)
	}
	var rec schema.Record
	for _, n := range []int{200, 98_000} {
		line := []byte(strings.Repeat("x", n))
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				f.Parse(line, &rec)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// BenchmarkRegexp is the standard library's, which finds the groups only.
func BenchmarkRegexp(b *testing.B) {
	re := regexp.MustCompile(benchPattern)
	line := []byte(benchLine)
	b.SetBytes(int64(len(line) + 1))
	b.ReportAllocs()
	for b.Loop() {
		if re.FindSubmatchIndex(line) == nil {
			b.Fatal("no match")
		}
	}
}

// BenchmarkSplit is the lower limit: the same lines are found and not parsed.
func BenchmarkSplit(b *testing.B) {
	const lines = 1000
	block := bytes.Repeat([]byte(benchLine+"\n"), lines)
	b.SetBytes(int64(len(benchLine) + 1))
	rest := block
	for b.Loop() {
		i := bytes.IndexByte(rest, '\n')
		if rest = rest[i+1:]; len(rest) == 0 {
			rest = block
		}
	}
}

// BenchmarkCRC32C reads each byte of a line once.
func BenchmarkCRC32C(b *testing.B) {
	table := crc32.MakeTable(crc32.Castagnoli)
	line := []byte(benchLine + "\n")
	b.SetBytes(int64(len(line)))
	sum := uint32(0)
	for b.Loop() {
		sum = crc32.Update(sum, table, line)
	}
	if sum == 0 {
		b.Log("a checksum of nothing")
	}
}
