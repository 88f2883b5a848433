package query

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/schema"
)

// show returns a report in one line: a row is its values joined by blanks, null is a dash.
func show(t testing.TB, a *Answer) string {
	t.Helper()
	r, err := a.Report()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range r.Rows {
		var values []string
		for _, v := range row {
			switch {
			case v.Null:
				v.Text = "-"
			case v.Text == "":
				v.Text = `""`
			}
			values = append(values, v.Text)
		}
		rows = append(rows, strings.Join(values, " "))
	}
	return strings.Join(rows, ", ")
}

func answerOf(t testing.TB, q Question, order string) *Answer {
	t.Helper()
	if order != "" {
		if err := q.ParseOrder(order); err != nil {
			t.Fatal(err)
		}
	}
	a, err := NewAnswer(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestGroupsAndMeasures(t *testing.T) {
	f := testFormat(t, "combined")
	lines := []string{
		`10.1.2.3 - ann [17/May/2015:12:05:03 +0200] "GET /a?q=1 HTTP/1.1" 200 100 "-" "x"`,
		`10.1.2.3 - bob [17/May/2015:12:59:59 +0200] "GET /a?q=2 HTTP/1.1" 200 300 "-" "x"`,
		`10.1.2.4 - - [17/May/2015:13:00:00 +0200] "GET /b HTTP/1.1" 404 - "-" "y"`,
		`10.1.2.5 - "" [18/May/2015:00:10:00 +0200] "GET /a HTTP/1.1" 503 7 "-" "y"`,
		`no line of this format`,
	}
	sum := []Measure{{Operation: Sum, Field: "bytes"}}
	for _, c := range []struct {
		name, order string
		q           Question
		want        string
	}{
		{"count", "", Question{}, "5"},
		{"all measures", "", Question{Measures: []Measure{{Sum, "bytes", 0}, {Avg, "bytes", 0}, {Min, "bytes", 0}, {Max, "bytes", 0}, {Quantile, "bytes", 0.5},
			{Quantile, "bytes", 1}, {Distinct, "client", 0}, {Min, "time", 0}}}, "5 407 135.66666666666666 7 300 100 300 3 2015-05-17T10:05:03Z"},
		{"null and empty are groups", "", Question{By: []string{"user"}}, `- 2, "" 1, ann 1, bob 1`},
		{"path without its query", "", Question{By: []string{"url_path"}, Measures: sum}, "/a 3 407, - 1 -, /b 1 -"},
		{"classes", "status_class", Question{By: []string{"status_class"}}, "- 1, 2xx 2, 4xx 1, 5xx 1"},
		{"numbers are sorted as numbers", "bytes:desc", Question{By: []string{"bytes"}}, "300 1, 100 1, 7 1, - 2"},
		{"hours", "", Question{By: []string{"hour"}}, "- 1, 2015-05-17T10:00:00Z 2, 2015-05-17T11:00:00Z 1, 2015-05-17T22:00:00Z 1"},
		{"days of a zone", "", Question{By: []string{"day", "status"}, Zone: time.FixedZone("", 7200)},
			"- - 1, 2015-05-17 200 2, 2015-05-17 404 1, 2015-05-18 503 1"},
		{"order and limit", "sum_bytes", Question{By: []string{"path"}, Measures: sum, Limit: 2}, "/a?q=2 1 300, /a?q=1 1 100"},
		{"spans with gaps", "", Question{Every: 6 * time.Hour}, "- 1, 2015-05-17T06:00:00Z 3, 2015-05-17T12:00:00Z 0, 2015-05-17T18:00:00Z 1"},
		{"gaps have no sum", "", Question{Every: 6 * time.Hour, Measures: append(sum, Measure{Distinct, "client", 0})},
			"- 1 - 0, 2015-05-17T06:00:00Z 3 400 2, 2015-05-17T12:00:00Z 0 - 0, 2015-05-17T18:00:00Z 1 7 1"},
		{"a field that no format has", "", Question{By: []string{"no_such"}}, "- 5"},
		{"what a line does not have", "", Question{Measures: []Measure{{Sum, "no_such", 0}, {Distinct, "no_such", 0}, {Quantile, "no_such", 0.5}}}, "5 - 0 -"},
	} {
		a := answerOf(t, c.q, c.order)
		for _, line := range lines {
			if err := a.Add(testEntry(t, f, line)); err != nil {
				t.Fatal(err)
			}
		}
		if got := show(t, a); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestAFormatsOwnHourHasPrecedence(t *testing.T) {
	a := answerOf(t, Question{By: []string{"hour"}}, "")
	own := testFormat(t, `pattern:(?P<hour>\S+) (?P<user>\S+)`)
	if err := errors.Join(a.Add(testEntry(t, own, "12345678 x")), a.Add(testEntry(t, testFormat(t, "combined"), testLine))); err != nil {
		t.Fatal(err)
	}
	if got, want := show(t, a), "2015-05-17T10:00:00Z 1, 12345678 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSumsDoNotOverflow(t *testing.T) {
	f := testFormat(t, "combined")
	a := answerOf(t, Question{Measures: []Measure{{Sum, "bytes", 0}, {Avg, "bytes", 0}, {Max, "bytes", 0}}}, "")
	for range 20 {
		if err := a.Add(testEntry(t, f, strings.Replace(testLine, " 2326 ", " 999999999999999999 ", 1))); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := show(t, a), "20 19999999999999999980 1000000000000000000 999999999999999999"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestInvalidQuestionsAreErrors(t *testing.T) {
	fields := testFormat(t, "combined").Fields()
	for _, c := range []struct {
		q    Question
		want string
	}{
		{Question{By: []string{"pth"}}, `unknown field "pth"; the fields are`},
		{Question{Measures: []Measure{{Sum, "agent", 0}}}, "sum of agent: it is not a number; numbers are offset, status, bytes"},
		{Question{Measures: []Measure{{Avg, "time", 0}}}, "avg of time: it is not a number"},
		{Question{Measures: []Measure{{Max, "size", 0}}}, `unknown field "size"`},
	} {
		if err := c.q.Check(fields); !errors.Is(err, errQuestion) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.q, err, c.want)
		}
	}
	good := Question{By: []string{"url_path", "hour", "status_class"}, Measures: []Measure{{Min, "time", 0}, {Distinct, "agent", 0}, {Max, "offset", 0}}}
	if err := good.Check(fields); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"bytes", "bytes:", "bytes:95", "bytes:x", ":0.5", "bytes:NaN", "bytes:-0.1"} {
		if m, err := ParseQuantiles(s); err == nil {
			t.Errorf("%s: %v", s, m)
		}
	}
	for _, s := range []string{"", "path", "count:up"} {
		if err := good.ParseOrder(s); err == nil {
			t.Errorf("order %q", s)
		}
	}
	m, err := ParseQuantiles("bytes:0.5, 0.999")
	if err != nil || m[0].Name() != "p50_bytes" || m[1].Name() != "p99.9_bytes" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := NewAnswer(Question{Every: time.Millisecond}); !errors.Is(err, errQuestion) {
		t.Error(err)
	}
}

// TestFrequentStaysBounded counts far more values than fit: the memory does not grow, frequent values
// are found, and no count has a greater error than reported.
func TestFrequentStaysBounded(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	const maxBytes = 200 * groupBytes
	top := answerOf(t, Question{By: []string{"x"}, Frequent: true, Limit: 5, MaxBytes: maxBytes}, "")
	truth := map[string]int64{}
	rec := &schema.Record{}
	fields := []schema.Field{{Name: "x"}}
	for range 50_000 {
		value := fmt.Sprint("rare", rnd.IntN(20_000))
		if rnd.IntN(3) == 0 {
			value = fmt.Sprint("often", rnd.IntN(5))
		}
		truth[value]++
		rec.Reset([]byte(value), fields)
		rec.Values[0] = schema.Value{End: uint32(len(value)), State: schema.InLine}
		if err := top.Add(&schema.Entry{Record: rec}); err != nil {
			t.Fatal(err)
		}
		if top.groups.bytes > maxBytes {
			t.Fatalf("seed %d: %d bytes", seed, top.groups.bytes)
		}
	}
	r, err := top.Report()
	if err != nil || !r.Approximate || len(r.Rows) != 5 || strings.Join(r.Columns, " ") != "x count too_high_by" {
		t.Fatalf("seed %d: %+v, %v", seed, r, err)
	}
	for _, row := range r.Rows {
		value, count, excess := row[0].Text, int64(row[1].Float()), int64(row[2].Float())
		if !strings.HasPrefix(value, "often") || count < truth[value] || count-excess > truth[value] {
			t.Errorf("seed %d: %+v, in truth %d", seed, row, truth[value])
		}
	}
	for value, n := range truth {
		if g, _ := top.groups.get(appendKey(nil, []byte(value), false)); g == nil && n > r.Floor {
			t.Errorf("seed %d: %s was left out with %d, above the floor of %d", seed, value, n, r.Floor)
		}
	}
}

func TestGroupsAreBounded(t *testing.T) {
	f := testFormat(t, "combined")
	for _, q := range []Question{
		{By: []string{"offset"}, MaxBytes: 100 * groupBytes},
		{By: []string{"user", "offset"}, MaxBytes: 100 * groupBytes},
		{By: []string{"user"}, Measures: []Measure{{Distinct, "offset", 0}}, MaxBytes: 1000},
		{Measures: []Measure{{Quantile, "offset", 0.5}}, MaxBytes: 1000},
	} {
		a := answerOf(t, q, "")
		e := testEntry(t, f, testLine)
		var err error
		for e.Offset = 0; err == nil && e.Offset < 1000; e.Offset++ {
			err = a.Add(e)
		}
		if !errors.Is(err, ErrTooManyGroups) {
			t.Errorf("%+v: %v after %d entries", q, err, e.Offset)
		}
	}
}

func TestAddingToAGroupDoesNotAllocate(t *testing.T) {
	e := testEntry(t, testFormat(t, "combined"), testLine)
	for _, q := range []Question{
		{}, {By: []string{"status"}}, {By: []string{"url_path", "status_class", "hour"}}, {By: []string{"path"}, Frequent: true, Limit: 3}, {Every: time.Hour},
		{By: []string{"user"}, Measures: []Measure{{Sum, "bytes", 0}, {Distinct, "client", 0}, {Max, "time", 0}}},
	} {
		a := answerOf(t, q, "")
		if n := testing.AllocsPerRun(100, func() {
			if err := a.Add(e); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%+v: %v allocations", q, n)
		}
	}
}

// TestMergedFrequentCountsKeepTheirBound counts in two parts and merges them.
func TestMergedFrequentCountsKeepTheirBound(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	parts := make([]*Answer, 2)
	for i := range parts {
		parts[i] = answerOf(t, Question{By: []string{"x"}, Frequent: true, Limit: 5, MaxBytes: 200 * groupBytes}, "")
		parts[i].groups.seed = parts[0].groups.seed
	}
	truth := map[string]int64{}
	rec := &schema.Record{}
	for i := range 50_000 {
		value := fmt.Sprint("rare", rnd.IntN(20_000))
		if rnd.IntN(3) == 0 {
			value = fmt.Sprint("often", rnd.IntN(5))
		}
		truth[value]++
		rec.Reset([]byte(value), []schema.Field{{Name: "x"}})
		rec.Values[0] = schema.Value{End: uint32(len(value)), State: schema.InLine}
		if err := parts[i&1].Add(&schema.Entry{Record: rec}); err != nil {
			t.Fatal(err)
		}
	}
	if err := parts[0].merge(parts[1]); err != nil {
		t.Fatal(err)
	}
	for g := range parts[0].groups.all {
		value, _ := rawKey(g, 0)
		if g.count < truth[value] || g.count-g.excess > truth[value] {
			t.Errorf("seed %d: %s: %d, at most %d too high, in truth %d", seed, value, g.count, g.excess, truth[value])
		}
		delete(truth, value)
	}
	for value, n := range truth {
		if n > parts[0].groups.floor {
			t.Errorf("seed %d: %s was left out with %d, above the floor of %d", seed, value, n, parts[0].groups.floor)
		}
	}
}
