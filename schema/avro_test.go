package schema

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
)

func TestAvroSchemaOfCombined(t *testing.T) {
	got, err := AvroSchema("sluice.Access", AvroFields(combinedFields))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := avro.Parse(got); err != nil {
		t.Fatal(err)
	}
	golden(t, "avro_combined.avsc", got+"\n")
}

func TestNamesThatAvroRefuses(t *testing.T) {
	for _, name := range []string{"", "1x", "a b", "a..b", "a.", `a"`} {
		if _, err := AvroSchema(name, nil); !errors.Is(err, errAvro) {
			t.Errorf("record %q: %v", name, err)
		}
	}
	if _, err := AvroSchema("x", []Field{{Name: "a-b"}, {Name: "a_b"}}); !errors.Is(err, errAvro) {
		t.Errorf("two fields of one name: %v", err)
	}
	for name, want := range map[string]string{"status": "status", "x-y.z": "x_y_z", "9lives": "_9lives", "größe": "gr____e", "": "_"} {
		if got := AvroName(name); got != want {
			t.Errorf("%q is called %q, want %q", name, got, want)
		}
	}
}

// TestAvroRecordsAreReadBack decodes the encoder's output with another implementation.
func TestAvroRecordsAreReadBack(t *testing.T) {
	fields := append(AvroFields(testEntry().Record.Fields), Field{Name: "offset", Kind: Int}, Field{Name: "no_such"}, Field{Name: "agent2", Kind: Int})
	text, err := AvroSchema("x", fields)
	if err != nil {
		t.Fatal(err)
	}
	s, err := avro.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	e := testEntry()
	e.Record.Line = append(e.Record.Line, "\x00\xffé"...)
	e.Record.Values[1] = Value{Start: 17, End: 21, State: InLine} // user: a NUL, a byte that is not UTF-8, é
	e.Record.Err = ParseError{1, "%u", strings.Repeat("long ", 100)}
	var got map[string]any
	if err := avro.Unmarshal(s, NewAvroEncoder(fields).Append(nil, e), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"host": "web01", "client": "10.1.2.3", "user": "\x00\\xffé", "status": int64(404), "agent": "",
		"time":        time.Unix(1431857103, 0).UTC(),
		"parse_error": e.Record.Err.Error(), "logbody": e.Record.Line, "offset": int64(42), "no_such": nil, "agent2": nil,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%#v\nwant %#v", got, want)
	}
}

func TestAvroNumbersAtTheirEnds(t *testing.T) {
	s := avro.MustParse(`"long"`)
	for _, n := range []int64{0, 1, -1, 63, 64, -64, -65, 1 << 40, math.MaxInt64, math.MinInt64} {
		var got int64
		if err := avro.Unmarshal(s, appendAvroLong(nil, n), &got); err != nil || got != n {
			t.Errorf("%d is read back as %d, %v", n, got, err)
		}
	}
	for nanos, want := range map[int64]int64{1999: 1, -1: -1, -1000: -1, -1001: -2} {
		if got := AvroMicros(nanos); got != want {
			t.Errorf("%d ns are %d µs, want %d", nanos, got, want)
		}
	}
}

func TestAvroEncodingDoesNotAllocate(t *testing.T) {
	e := testEntry()
	e.Record.Line = append(e.Record.Line, '\xff')
	e.Record.Values[1] = Value{Start: 17, End: 18, State: InLine}
	a := NewAvroEncoder(AvroFields(e.Record.Fields))
	var dst []byte
	if n := testing.AllocsPerRun(100, func() { dst = a.Append(dst[:0], e) }); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}
