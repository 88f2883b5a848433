package print

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sluice/schema"
	"sluice/test/pyreaders"
)

// avroCases returns files whose values every reader must decode identically.
func avroCases(t *testing.T) map[string]func(kind, codec string) []byte {
	combined := [][]schema.Field{lookup(t, "combined").Fields()}
	many := entries(t)
	for len(many) < 4000 { // several blocks, and counts of two bytes
		many = append(many, entries(t)...)
	}
	cases := map[string]struct {
		o    Options
		list []*schema.Entry
	}{
		"hostile lines":      {Options{Formats: combined}, entries(t)},
		"several blocks":     {Options{Formats: combined}, many},
		"one record":         {Options{Formats: combined}, entries(t)[:1]},
		"columns of choice":  {Options{Formats: combined, Fields: []string{"time", "status", "offset", "stream", "file", "logbody", "query"}}, entries(t)},
		"all null but bytes": {Options{Formats: combined, Fields: []string{"status", "time", "logbody"}}, entries(t)[8:10]},
	}
	files := map[string]func(kind, codec string) []byte{}
	for name, c := range cases {
		files[name] = func(kind, codec string) []byte {
			o := c.o
			o.Codec = codec
			return output(t, kind, o, c.list)
		}
	}
	return files
}

// TestPythonReadsAvroFiles compares each value that fastavro and polars read with the output
// avrojson, which avro-tools confirms byte for byte.
func TestPythonReadsAvroFiles(t *testing.T) {
	for name, file := range avroCases(t) {
		want := plainRecords(t, file("avrojson", ""))
		for _, c := range []struct{ reader, codec string }{
			{"fastavro", AvroZstandard}, {"fastavro", AvroDeflate},
			{"polars", AvroDeflate}, {"polars", AvroNull}, // polars does not support zstandard
		} {
			t.Run(name+"/"+c.reader+"/"+c.codec, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file.avro")
				if err := os.WriteFile(path, file("avro", c.codec), 0o600); err != nil {
					t.Fatal(err)
				}
				got := pyreaders.Run(t, pyreaders.Avro, c.reader, path)
				if len(got) != len(want) {
					t.Fatalf("%d records, want %d", len(got), len(want))
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("record %d:\n%s\nwant\n%s", i, got[i], want[i])
					}
				}
			})
		}
	}
}

// plainRecords returns the records of an avrojson output in the format of read.py: without unions,
// and logbody, which is Latin-1 in Avro's JSON, in hexadecimal.
func plainRecords(t *testing.T, avroJSON []byte) (records []string) {
	t.Helper()
	for _, r := range decodeLines(t, avroJSON) {
		for name, v := range r {
			if union, ok := v.(map[string]any); ok {
				for _, inner := range union {
					r[name] = inner
				}
			}
		}
		if body, ok := r["logbody"].(string); ok {
			var raw []byte
			for _, c := range body {
				raw = append(raw, byte(c))
			}
			r["logbody"] = map[string]any{"bytes": fmt.Sprintf("%x", raw)}
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, string(text))
	}
	return records
}

func decodeLines(t *testing.T, text []byte) (records []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(text) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber() // a float64 would hide different last digits
		var r map[string]any
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		records = append(records, r)
	}
	return records
}
