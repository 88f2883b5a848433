package print

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/query"
	"sluice/schema"
)

// answer returns the report of a question about entries' lines and some lines of another day.
func answer(t *testing.T, q query.Question) query.Report {
	t.Helper()
	a, err := query.NewAnswer(q)
	if err != nil {
		t.Fatal(err)
	}
	f := lookup(t, "combined")
	var rec schema.Record
	add := func(line string) {
		f.Parse([]byte(line), &rec)
		if err := a.Add(&schema.Entry{Stream: &schema.Stream{Host: "web01"}, Record: &rec}); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		add(`192.0.2.1 - - [19/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1000 "-" "x"`)
	}
	add(`192.0.2.2 - - [17/May/2015:10:05:03 +0000] "GET /x HTTP/1.1" 200 1001 "" "a\tb,\"c\"\xff\x1b"`)
	add(`192.0.2.2 - - [17/May/2015:12:05:03 +0000] "GET /x?q HTTP/1.1" 404 - "=cmd" ""`)
	add(`no line`)
	r, err := a.Report()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReports(t *testing.T) {
	approximate := answer(t, query.Question{By: []string{"agent"}, Frequent: true, Limit: 2, MaxBytes: 400})
	if !approximate.Approximate {
		t.Fatal("it is exact")
	}
	for name, r := range map[string]query.Report{
		"count":       answer(t, query.Question{}),
		"top":         answer(t, query.Question{By: []string{"status"}, Frequent: true, Limit: 10}),
		"texts":       answer(t, query.Question{By: []string{"agent", "referer"}}),
		"approximate": approximate,
		"histogram":   answer(t, query.Question{Every: 24 * time.Hour, Zone: time.FixedZone("", 7200)}),
		"measures": answer(t, query.Question{By: []string{"url_path"}, Order: query.Order{Column: "avg_bytes"}, Measures: []query.Measure{
			{Operation: query.Sum, Field: "bytes"}, {Operation: query.Avg, Field: "bytes"}, {Operation: query.Max, Field: "time"},
			{Operation: query.Quantile, Field: "bytes", Q: 0.95}, {Operation: query.Distinct, Field: "client"}}}),
		"nothing": {Columns: []string{"status", "count"}, Keys: 1, Bar: 1},
	} {
		for _, kind := range []string{"json", "csv", "tsv", "table"} {
			var b bytes.Buffer
			if err := Report(&b, kind, Options{}, r); err != nil {
				t.Fatal(err)
			}
			golden(t, "report_"+name+"."+kind, b.Bytes())
		}
	}
}

func TestTablesMarkEstimates(t *testing.T) {
	r := query.Report{Columns: []string{"count", "distinct_client"}, Bar: -1, Estimated: map[string]float64{"distinct_client": query.DistinctError}}
	var b bytes.Buffer
	if err := Report(&b, "table", Options{}, r); err != nil || !strings.HasSuffix(b.String(), "(distinct_client is an estimate, ± 0.8 %)\n") {
		t.Errorf("%s%v", b.String(), err)
	}
}

func TestReportsHaveNoOtherOutputs(t *testing.T) {
	for _, kind := range []string{"raw", "avro", "avrojson", ""} {
		if err := Report(&bytes.Buffer{}, kind, Options{}, query.Report{}); !errors.Is(err, errKind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
