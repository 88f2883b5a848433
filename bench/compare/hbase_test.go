package compare

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/bench"
	"sluice/bench/benchtest"
	"sluice/bench/measure"
	"sluice/bench/sample"
	"sluice/parse"
	"sluice/schema"
)

// All clients must get the same rows: reading in batches gives the same rows as converting the
// whole log in memory.
func TestARowSourceMakesTheRowsOfTheWholeLog(t *testing.T) {
	for name, text := range map[string]string{
		"sample":                   sampleText(t, 9000), // several batches
		"no newline at the end":    strings.TrimSuffix(sampleText(t, 10), "\n"),
		"a line longer than batch": sampleText(t, 3) + strings.Repeat("x", 3*batchBytes) + "\n" + sampleText(t, 3),
	} {
		path := benchtest.File(t, text)
		layout, err := schema.NewLayout(schema.LayoutTyped)
		if err != nil {
			t.Fatal(err)
		}
		var want, got bytes.Buffer
		count := int64(len(strings.Split(strings.TrimSuffix(text, "\n"), "\n")))
		if err := eachLineAlone(text, layout, dumpRows(&want)); err != nil {
			t.Fatal(err)
		}
		if err := eachRows(path, "combined", layout, dumpRows(&got)); err != nil {
			t.Fatal(err)
		}
		if n := int64(bytes.Count(got.Bytes(), []byte("row "))); !bytes.Equal(got.Bytes(), want.Bytes()) || n < count {
			t.Errorf("%s: %d of %d rows, or others", name, n, count)
		}
	}
}

func sampleText(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	if err := sample.Write(&b, 1, n); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func dumpRows(b *bytes.Buffer) func(*schema.Rows) error {
	return func(rows *schema.Rows) error {
		for i := range rows.Len() {
			b.WriteString("row ")
			b.Write(rows.Key(i))
			for _, c := range rows.Cells(i) {
				b.WriteString(c.Qualifier)
				b.Write(c.Value)
			}
		}
		return nil
	}
}

// A file of rows has every cell, in the format of peer/RowFile.java.
func TestAFileOfRowsHasTheCells(t *testing.T) {
	path := benchtest.File(t, sampleText(t, 500))
	layout, err := schema.NewLayout(schema.LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "rows")
	if err := writeRowFile(to, path, "combined", layout); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	cut := func(n int) []byte {
		defer func() { b = b[n:] }()
		return b[:n]
	}
	number := func(n int) int {
		var wide [8]byte
		copy(wide[8-n:], cut(n))
		return int(binary.BigEndian.Uint64(wide[:]))
	}
	if family := string(cut(number(1))); family != layout.Family {
		t.Errorf("family %q", family)
	}
	var qualifiers []string
	for range number(2) {
		qualifiers = append(qualifiers, string(cut(number(1))))
	}
	var got, want bytes.Buffer
	for len(b) > 0 {
		got.WriteString("row ")
		got.Write(cut(number(2)))
		cut(8) // timestamp
		for range number(2) {
			got.WriteString(qualifiers[number(2)])
			got.Write(cut(number(4)))
		}
	}
	if err := eachRows(path, "combined", layout, dumpRows(&want)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Error("the cells differ")
	}
}

// A client that replays the file of rows writes the rows of the log.
func TestAReplayHasTheRowsOfTheLog(t *testing.T) {
	path := benchtest.File(t, sampleText(t, 9000)) // several batches
	for _, name := range []string{schema.LayoutTyped, schema.LayoutPacked} {
		layout, err := schema.NewLayout(name)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "rows")
		if err := writeRowFile(file, path, "combined", layout); err != nil {
			t.Fatal(err)
		}
		var got, want bytes.Buffer
		if err := eachRows(path, "combined", layout, dumpTimedRows(&want)); err != nil {
			t.Fatal(err)
		}
		r, err := openReplay(file)
		if err != nil {
			t.Fatal(err)
		}
		batches := 0
		for more, _ := r.next(); more; more, _ = r.next() {
			batches++
			if err := dumpTimedRows(&got)(r.made()); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
		if batches < 2 || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%s: %d batches, or other rows", name, batches)
		}
	}
}

// dumpTimedRows is dumpRows with the time of each row, in the milliseconds of a cell.
func dumpTimedRows(b *bytes.Buffer) func(*schema.Rows) error {
	return func(rows *schema.Rows) error {
		for i := range rows.Len() {
			var row schema.Rows
			row.Append(rows.Key(i), rows.Time(i), rows.Cells(i))
			fmt.Fprint(b, max(rows.Time(i), 0)/1e6, " ")
			if err := dumpRows(b)(&row); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestTheClientReportsErrorsAndContinues(t *testing.T) {
	var out strings.Builder
	if err := HBaseChild(t.Context(), strings.NewReader("nonsense\nscan\tnowhere\n"), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "pid") || !strings.Contains(lines[1], "no request") || !strings.Contains(lines[2], "nowhere") {
		t.Errorf("%q", lines)
	}
}

func TestClientsHaveNames(t *testing.T) {
	for name, ok := range map[string]bool{"sluice": true, "java-each": true, "gohbase": false} {
		if err := CheckHBaseClient(name); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrintHBase(t *testing.T) {
	r := &HBase{
		Machine: measure.Machine{CPUs: 2, Go: "go1.26", OS: "linux", Arch: "amd64"}, Rows: 1000, Rounds: 3,
		Layouts: []*HBaseLayout{{
			Name: "typed", Compression: "NONE", CellsPerRow: 10.6, ValueBytes: 432, DiskBytes: 560,
			Writes: []*HBaseWrite{
				{"sluice", cost(60000, 61000), cost(0.8, 0.75), cost(0.4, 0.3), 1.25, cost(20, 19), cost(3.5, 3.4), 131, 80e6, &HBaseCompaction{4.5, 11.25, 1.5}, 0.03},
				{"java-async", cost(48000, 49000), cost(7, 6), cost(0.5, 0.4), 16, cost(22, 21), cost(3.6, 3.5), 132, 1e9, nil, 0},
			},
			Scans: []*HBaseScan{{"sluice", cost(381000, 390000), cost(0.9, 0.8), cost(3.5, 3), 70e6, 0.08}},
		}},
	}
	benchtest.Printed(t, r, "hbase.golden")
}

// eachLineAlone makes the rows of a text one line at a time.
func eachLineAlone(text string, layout schema.Layout, do func(*schema.Rows) error) error {
	format, err := parse.Lookup("combined", time.UTC)
	if err != nil {
		return err
	}
	encoder := layout.NewRowEncoder(bench.SampleStream(format), format.Fields())
	var rows schema.Rows
	var rec schema.Record
	offset := int64(0)
	for line := range strings.Lines(text) {
		rows.Reset()
		format.Parse([]byte(strings.TrimSuffix(line, "\n")), &rec)
		encoder.Append(&rows, offset, &rec)
		offset += int64(len(line))
		if err := do(&rows); err != nil {
			return err
		}
	}
	return nil
}

func cost(median, least float64) measure.Cost { return measure.Cost{Median: median, Min: least} }
