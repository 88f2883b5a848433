package bench

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"sluice/bench/benchtest"
	"sluice/bench/measure"
	"sluice/bench/sample"
	"sluice/schema"
)

func sampleLines(t *testing.T, n int) *Lines {
	t.Helper()
	var b strings.Builder
	if err := sample.Write(&b, 1, n); err != nil {
		t.Fatal(err)
	}
	l, err := Load(benchtest.File(t, b.String()), "auto")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSizeCountsALastLineWithoutNewline(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "a\n": 1, "a\nb": 2, "\n\n": 2} {
		if got, err := Size(benchtest.File(t, text)); err != nil || got.Lines != want || got.Bytes != int64(len(text)) {
			t.Errorf("%q: %+v, %v; not %d lines", text, got, err, want)
		}
	}
}

func TestLoadReadsWholeLinesAndRejectsFilesWithout(t *testing.T) {
	l, err := Load(benchtest.File(t, "a\nb\nc"), "common")
	if err != nil || string(l.data) != "a\nb\n" || l.count != 2 {
		t.Errorf("%+v, %v", l, err)
	}
	for _, text := range []string{"", "no newline"} {
		if _, err := Load(benchtest.File(t, text), "common"); err == nil {
			t.Errorf("%q can be measured", text)
		}
	}
}

func TestBatchesAreWholeLinesWithoutGaps(t *testing.T) {
	long := strings.Repeat("x", 3*batchBytes) + "\n"
	l, err := Load(benchtest.File(t, strings.Repeat("abc\n", 300_000)+long+"end\n"), "common")
	if err != nil {
		t.Fatal(err)
	}
	at, lines := int64(0), int64(0)
	for b := range l.batches(l.stream()) {
		if b.Range.Start != at || b.Range.Len() != int64(len(b.Data)) || b.Data[len(b.Data)-1] != '\n' {
			t.Fatalf("batch %v of %d bytes after %d", b.Range, len(b.Data), at)
		}
		at, lines = b.Range.End, lines+int64(b.Lines)
	}
	if at != int64(len(l.data)) || lines != l.count {
		t.Errorf("%d bytes and %d lines, not %d and %d", at, lines, len(l.data), l.count)
	}
}

// The regular expression must match the lines, because one that fails early would be fast.
func TestThePatternMatchesTheLinesOfTheFormat(t *testing.T) {
	re := regexp.MustCompile(combinedPattern)
	format := sampleLines(t, 1).format
	var rec schema.Record
	matched := 0
	for line := range strings.Lines(string(sampleLines(t, 5000).data)) {
		line = strings.TrimSuffix(line, "\n")
		if format.Parse([]byte(line), &rec); !rec.Err.Set() && !strings.HasSuffix(line, "\r") {
			matched++
			if !re.MatchString(line) {
				t.Errorf("not matched: %.300q", line)
			}
		}
	}
	if matched < 4900 {
		t.Errorf("only %d of 5000 lines", matched)
	}
}

func TestEveryMeasurementCoversTheWholeLog(t *testing.T) {
	const n = 3000
	l := sampleLines(t, n)
	parse, err := MeasureParse(t.Context(), l, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range parse.Readers {
		if r.Lines != n {
			t.Errorf("%s read %d lines", r.Name, r.Lines)
		}
	}
	table, err := MeasureTable(t.Context(), l, t.TempDir(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if table.Rows != n || table.BytesPerRow <= 0 {
		t.Errorf("%+v", table)
	}
	archive, err := MeasureArchive(t.Context(), l, t.TempDir(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Levels) != len(archiveLevels) {
		t.Errorf("%+v", archive)
	}
	for _, level := range archive.Levels {
		if level.Ratio < 2 || level.Ratio > level.GzipRatio*1.1 {
			t.Errorf("level %d: ratio %.2f beside gzip's %.2f", level.Level, level.Ratio, level.GzipRatio)
		}
	}
}

func TestARunThatStoresTooFewRowsIsAnError(t *testing.T) {
	runner := func(out string) Runner {
		return func(context.Context, []string) ([]byte, measure.Usage, error) {
			return []byte(out), measure.Usage{}, nil
		}
	}
	for out, want := range map[string]string{
		"lines=3 bytes=9 rows=2 parse_errors=0\n": "rows stored: 2, not 3",
		"what?": "not readable",
	} {
		_, err := MeasureRun(t.Context(), runner(out), "x", "auto", 3, t.TempDir(), 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", out, err)
		}
	}
}

func TestPrint(t *testing.T) {
	r := &Result{
		Machine: measure.Machine{CPUs: 2, Go: "go1.26", OS: "linux", Arch: "amd64"}, Log: LogSize{Seed: 7, Lines: 1000, Bytes: 226_000}, Rounds: 3,
		Parse: &Parse{"combined", []Reader{
			{"newlines alone", 1000, cost(20, 19), cost(1, 1), 11300, 0},
			{"sluice", 1000, cost(100, 95.25), cost(5, 4.75), 2260, 0.0005},
		}},
		Table: &Table{1000, cost(0.3, 0.2), cost(0.5, 0.4), cost(1, 0.5), 15, 226},
		Archive: &Archive{226_000, []Level{
			{1, cost(2.5, 2.25), cost(2.4, 2.2), cost(1.04, 1.01), 5.6, 5.7, 400},
		}},
		Run: &Run{1000, cost(4, 3.5), cost(5, 4.5), cost(100<<20, 99<<20), 200_000, 80_000, 40_000},
	}
	benchtest.Printed(t, r, "print.golden")
}

func cost(median, least float64) measure.Cost { return measure.Cost{Median: median, Min: least} }
