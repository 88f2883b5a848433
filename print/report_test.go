package print

import (
	"bytes"
	"errors"
	"testing"

	"sluice/query"
)

func TestReports(t *testing.T) {
	for name, r := range map[string]query.Report{
		"count": {Groups: []query.Group{{Count: 1234567}}},
		"top": {Key: "status", Groups: []query.Group{
			{Value: "200", Number: true, Count: 1000}, {Null: true, Count: 12}, {Value: "404", Number: true, Count: 3}}},
		"texts": {Key: "agent", Approximate: true, Floor: 7, Groups: []query.Group{
			{Value: "a\tb,\"c\"\xff\x1b", Count: 20, Excess: 3}, {Value: "", Count: 9}, {Null: true, Count: 8}}},
		"histogram": {Key: "time", Bars: true, Groups: []query.Group{
			{Null: true, Count: 2}, {Value: "2015-05-17T10:00:00+02:00", Count: 1}, {Value: "2015-05-17T11:00:00+02:00"},
			{Value: "2015-05-17T12:00:00+02:00", Count: 200}, {Value: "2015-05-17T13:00:00+02:00", Count: 101}}},
		"nothing": {Key: "status"},
	} {
		for _, kind := range []string{"json", "csv", "tsv", "table"} {
			var b bytes.Buffer
			if err := Report(&b, kind, r); err != nil {
				t.Fatal(err)
			}
			golden(t, "report_"+name+"."+kind, b.Bytes())
		}
	}
}

func TestReportsHaveNoOtherOutputs(t *testing.T) {
	for _, kind := range []string{"raw", "avro", "avrojson", ""} {
		if err := Report(&bytes.Buffer{}, kind, query.Report{}); !errors.Is(err, ErrKind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
