package columnar_test

import (
	"bytes"
	"fmt"

	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// The lines of a log are written as columns; one column is read.
func Example() {
	format, err := parse.Lookup("common", nil)
	if err != nil {
		panic(err)
	}
	log := &schema.Stream{ID: 1, Host: "web01", Path: "/var/log/apache2/access.log", Format: "common"}
	enc, err := columnar.NewEncoder(log, nil, format, columnar.EncoderOptions{})
	if err != nil {
		panic(err)
	}
	var chunk columnar.Chunk
	var rec schema.Record
	offset := int64(0)
	for _, line := range []string{
		`192.0.2.1 - - [03/Sep/2026:09:00:00 +0200] "GET / HTTP/1.1" 200 2326`,
		`192.0.2.7 - - [03/Sep/2026:09:00:01 +0200] "GET /a HTTP/1.1" 404 209`,
	} {
		format.Parse([]byte(line), &rec)
		enc.Append(&chunk, offset, &rec)
		offset += int64(len(line)) + 1
	}
	var out bytes.Buffer // a file
	w := columnar.NewWriter(&out, columnar.WriterOptions{})
	if err := w.Append(log, nil, schema.Range{Start: 0, End: offset}, 0, &chunk); err != nil { // 0 lines with parse errors
		panic(err)
	}
	if _, err := w.Close(); err != nil {
		panic(err)
	}

	f, err := columnar.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		panic(err)
	}
	var b columnar.Batch
	for group := range f.Groups() {
		if err := f.Read(group, nil, &b); err != nil { // nil: all columns
			panic(err)
		}
		status := b.Column("status")
		for i := range b.Rows {
			line, err := b.Line(nil, i)
			if err != nil {
				panic(err)
			}
			fmt.Println(status.Ints[i], string(line))
		}
	}
	// Output:
	// 200 192.0.2.1 - - [03/Sep/2026:09:00:00 +0200] "GET / HTTP/1.1" 200 2326
	// 404 192.0.2.7 - - [03/Sep/2026:09:00:01 +0200] "GET /a HTTP/1.1" 404 209
}
