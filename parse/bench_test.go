package parse

import (
	"testing"

	"sluice/schema"
)

const benchLine = `198.51.100.23 - - [17/May/2015:10:05:03 +0000] "GET /presentations/logstash-monitorama-2013/images/kibana-search.png HTTP/1.1" 200 203023 "http://example.com/presentations/2013/" "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"`

func BenchmarkParseCombined(b *testing.B) {
	f, err := Lookup("combined", nil)
	if err != nil {
		b.Fatal(err)
	}
	line := []byte(benchLine)
	var rec schema.Record
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		f.Parse(line, &rec)
	}
	if rec.Err.Set() {
		b.Fatal(rec.Err)
	}
}
