package schema

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/hamba/avro/v2"
)

// packedRow is the one row of an entry in the packed layout.
func packedRow(t *testing.T, e *Entry) (rows *Rows, record []byte) {
	t.Helper()
	l, err := NewLayout(LayoutPacked)
	if err != nil {
		t.Fatal(err)
	}
	rows = new(Rows)
	l.NewRowEncoder(e.Stream, e.Record.Fields).Append(rows, e.Offset, e.Record)
	cells := rows.Cells(0)
	if rows.Len() != 1 || len(cells) != 1 || cells[0].Qualifier != packedQualifier {
		t.Fatalf("%d rows, cells %v", rows.Len(), cells)
	}
	return rows, cells[0].Value
}

// TestAPackedRecordIsReadByAnother decodes the output with another implementation's schema parser,
// fingerprint and decoder.
func TestAPackedRecordIsReadByAnother(t *testing.T) {
	e := testEntry()
	e.Record.Line = append(e.Record.Line, "\x00\xff"...)
	e.Record.Err = ParseError{1, "%u", "why"}
	text, err := PackedSchema(e.Record.Fields)
	if err != nil {
		t.Fatal(err)
	}
	s, err := avro.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	// The canonical form has no logicalType; the other's keeps it, so it gets a
	// schema without.
	plain := avro.MustParse(strings.ReplaceAll(text, `,"logicalType":"timestamp-micros"`, ""))
	if got := string(canonicalAvro(packedRecord, packedFields(e.Record.Fields))); got != plain.String() {
		t.Errorf("canonical form %s, want %s", got, plain)
	}
	_, record := packedRow(t, e)
	fingerprint, err := plain.FingerprintUsing(avro.CRC64Avro)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(record[:2], []byte{0xc3, 0x01}) || binary.LittleEndian.Uint64(record[2:]) != binary.BigEndian.Uint64(fingerprint) {
		t.Errorf("the record begins with %x, want c301 and %x from its end", record[:10], fingerprint)
	}
	var got, want map[string]any
	if err := avro.Unmarshal(s, record[10:], &got); err != nil {
		t.Fatal(err)
	}
	// The same entry in the order of fields that an Avro file has.
	if text, err = AvroSchema("x", AvroFields(e.Record.Fields)); err != nil {
		t.Fatal(err)
	}
	if err := avro.Unmarshal(avro.MustParse(text), NewAvroEncoder(AvroFields(e.Record.Fields)).Append(nil, e), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if line, ok := (&Row{Cells: []Cell{{Qualifier: packedQualifier, Value: record}}}).Cell(LogbodyField); !ok || !bytes.Equal(line, e.Record.Line) {
		t.Errorf("logbody %q, %v", line, ok)
	}
}

// TestTheFingerprintIsThatOfTheSpecification: the value of the schema "int" is
// the one that Avro's own test data have.
func TestTheFingerprintIsThatOfTheSpecification(t *testing.T) {
	if got := avroFingerprint([]byte(`"int"`)); got != 0x7275d51a3f395c8f {
		t.Errorf("%x", got)
	}
	// Java's SchemaNormalization.parsingFingerprint64 of PackedSchema.
	if got := avroFingerprint(canonicalAvro(packedRecord, packedFields(combinedFields))); got != 0xb85ea5604fb4a28b {
		t.Errorf("combined: %x", got)
	}
}

// TestPackingAllocatesNothing for a row, and reading its line allocates nothing either.
func TestPackingAllocatesNothing(t *testing.T) {
	e := testEntry()
	l, err := NewLayout(LayoutPacked)
	if err != nil {
		t.Fatal(err)
	}
	encoder := l.NewRowEncoder(e.Stream, e.Record.Fields)
	var rows Rows
	row := Row{Cells: make([]Cell, 1)}
	n := testing.AllocsPerRun(1000, func() {
		rows.Reset()
		encoder.Append(&rows, e.Offset, e.Record)
		row.Cells[0] = rows.Cells(0)[0]
		if _, ok := row.Cell(LogbodyField); !ok {
			t.Fatal("no line")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

// FuzzPackedLine: a record from a damaged table is rejected, or its line is within it.
func FuzzPackedLine(f *testing.F) {
	f.Add([]byte("\xc3\x01\x00\x00\x00\x00\x00\x00\x00\x00\x04ab"))
	f.Add([]byte("\xc3\x01\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Add([]byte("\xc3\x01\x00\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x80", 11)))
	f.Add([]byte("\xc3"))
	f.Fuzz(func(t *testing.T, record []byte) {
		if line, ok := packedLine(record); ok && !bytes.Contains(record[packedHeadBytes:], line) {
			t.Errorf("%q is not in %q", line, record)
		}
	})
}
