package parse

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"sluice/schema"
)

// valuesOf returns a record's fields as a LineWriter needs them.
func valuesOf(rec *schema.Record) []FieldValue {
	values := make([]FieldValue, len(rec.Fields))
	for i := range values {
		text := rec.Bytes(i)
		values[i] = FieldValue{Text: text, Num: rec.Values[i].Num, Null: rec.Null(i), Plain: !NeedsEscape(text)}
	}
	return values
}

// checkRebuilt compares the line that a LineWriter writes of a record with the result of its check,
// and returns whether it is the original line.
func checkRebuilt(t *testing.T, w *LineWriter, line []byte, rec *schema.Record) bool {
	t.Helper()
	values := valuesOf(rec)
	back, ok := w.Append(nil, values, rec.ZoneSeconds)
	same := ok && bytes.Equal(back, line)
	if w.Writes(line, values, rec.ZoneSeconds) != same {
		t.Fatalf("%q is written as %q, %v", line, back, ok)
	}
	for i := range values { // as if from another place, and not known to be plain
		values[i].Text, values[i].Plain = bytes.Clone(values[i].Text), false
	}
	if w.Writes(line, values, rec.ZoneSeconds) != same {
		t.Fatalf("%q is written as %q, %v", line, back, ok)
	}
	return same
}

// TestApachesLinesAreRebuiltFromTheirFields: no line of Apache's must be stored beside its fields, except for
// a request line that has no method or ends with a blank.
func TestApachesLinesAreRebuiltFromTheirFields(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	f, err := Lookup("combined", nil)
	if err != nil {
		t.Fatal(err)
	}
	w, ok := f.NewLineWriter()
	if !ok {
		t.Fatal("no line writer")
	}
	var rec schema.Record
	for range 20_000 {
		line := []byte(randomSent(rng).combined())
		f.Parse(line, &rec)
		if !checkRebuilt(t, w, line, &rec) && !rec.Err.Set() {
			t.Fatalf("%q is not written again", line)
		}
	}
}

// FuzzRebuild: comparing a line gives the same result as writing it and comparing the bytes.
func FuzzRebuild(f *testing.F) {
	formats := []string{"combined", "vhost_combined", `%a %{%d/%b/%Y:%H:%M:%S %z}t %U%q "%q" %X %D`, `%{msec}t %{%I:%M %p}t "%m" "%r" %u`}
	for _, line := range []string{
		`1.2.3.4 - "" [17/May/2015:10:05:03 -0730] "GET /a?b HTTP/1.1" 007 - "\xff\\" "-"`,
		`a:80 1.2.3.4 - - [17/May/2015:10:05:60 +0000] "-" 200 5 "" ""`, `1.2.3.4 17/May/2015:10:05:03 +0200 /a?b "?c" + 5`,
	} {
		for i := range formats {
			f.Add([]byte(line), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte, which uint8) {
		format, err := Lookup(formats[int(which)%len(formats)], nil)
		if err != nil {
			t.Fatal(err)
		}
		w, _ := format.NewLineWriter()
		var rec schema.Record
		format.Parse(line, &rec)
		checkRebuilt(t, w, line, &rec)
	})
}
