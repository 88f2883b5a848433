package bench

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/bench/sample"
	"sluice/parse"
	"sluice/schema"
)

// The clients must be given the same rows: what is read as a stream is what is made
// of the whole log in memory.
func TestARowSourceMakesTheRowsOfTheWholeLog(t *testing.T) {
	for name, text := range map[string]string{
		"sample":                   sampleText(t, 9000), // some batches
		"no newline at the end":    strings.TrimSuffix(sampleText(t, 10), "\n"),
		"a line longer than batch": sampleText(t, 3) + strings.Repeat("x", 3*batchBytes) + "\n" + sampleText(t, 3),
	} {
		path := file(t, text)
		lines, err := Load(path, "combined")
		if err != nil {
			t.Fatal(err)
		}
		lines.data = []byte(text) // Load takes whole lines only
		layout, err := schema.NewLayout(schema.LayoutTyped)
		if err != nil {
			t.Fatal(err)
		}
		var want, got bytes.Buffer
		count := lines.count
		if !strings.HasSuffix(text, "\n") {
			lines.data = append(lines.data, '\n')
			count++
		}
		if err := newEncode(lines, layout).each(dumpRows(&want)); err != nil {
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

// A file of rows has every cell, in the form that peer/RowFile.java reads.
func TestAFileOfRowsHasTheCells(t *testing.T) {
	path := file(t, sampleText(t, 500))
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
		cut(8) // the timestamp
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

func TestOurClientSaysWhatIsWrongAndGoesOn(t *testing.T) {
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
		Machine: Machine{2, "go1.26", "linux", "amd64"}, Rows: 1000, Rounds: 3,
		Layouts: []*HBaseLayout{{
			Name: "typed", Compression: "NONE", CellsPerRow: 10.6, ValueBytes: 432, DiskBytes: 560,
			Writes: []*HBaseWrite{
				{"sluice", Cost{60000, 61000}, Cost{0.8, 0.75}, Cost{0.4, 0.3}, 1.25, Cost{20, 19}, 80e6, 0.03},
				{"java-async", Cost{48000, 49000}, Cost{7, 6}, Cost{0.5, 0.4}, 16, Cost{22, 21}, 1e9, 0},
			},
			Scans: []*HBaseScan{{"sluice", Cost{381000, 390000}, Cost{0.9, 0.8}, Cost{3.5, 3}, 70e6, 0.08}},
		}},
	}
	printed(t, r, "hbase.golden")
}

// encode makes rows of lines, in blocks of a batch.
type encode struct {
	lines  *Lines
	layout schema.Layout
	format *parse.Format
	rows   schema.Rows
	rec    schema.Record
}

func newEncode(l *Lines, layout schema.Layout) *encode {
	return &encode{lines: l, layout: layout, format: l.format}
}

func (e *encode) each(do func(*schema.Rows) error) error {
	stream := e.lines.stream()
	encoder := e.layout.NewRowEncoder(stream, e.format.Fields())
	for b := range e.lines.batches(stream) {
		e.rows.Reset()
		offset := b.Range.Start
		for line := range bytes.Lines(b.Data) {
			e.format.Parse(bytes.TrimSuffix(line, []byte{'\n'}), &e.rec)
			encoder.Append(&e.rows, offset, &e.rec)
			offset += int64(len(line))
		}
		if err := do(&e.rows); err != nil {
			return err
		}
	}
	return nil
}
