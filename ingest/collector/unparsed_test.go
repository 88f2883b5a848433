package collector

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLinesThatDoNotParseAreReportedByLog checks that a log is reported with counts and an example
// until lines parse again, and that requests that are not HTTP and a few broken lines are not
// reported.
func TestLinesThatDoNotParseAreReportedByLog(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	r := newRig(t, func(c *Config) { c.Now = func() time.Time { return clock } })
	good := "192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"\\x16\\x03\\x01\" 400 7\n"
	bad := "web01 192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 7\n"
	log := strings.Repeat(good, 190) + strings.Repeat(bad, 10) + strings.Repeat(good, 5) + strings.Repeat(bad, 30) + good
	s := r.stream(t, "web01", log, 2)
	at := 0
	put := func(text string) []Unparsed {
		t.Helper()
		end := at + len(text)
		if err := r.collector.Append(t.Context(), s, batch(s, log, at, end)); err != nil {
			t.Fatal(err)
		}
		at = end
		return r.collector.State().Arrivals["web01"].Unparsed
	}
	if got := put(strings.Repeat(good, 190)); got != nil {
		t.Errorf("requests that are no HTTP: %+v", got)
	}
	if got := put(strings.Repeat(bad, 10)); got != nil {
		t.Errorf("ten lines: %+v", got)
	}
	put(strings.Repeat(good, 5))
	put(strings.Repeat(bad, 15))
	got := put(strings.Repeat(bad, 15))
	if want := fmt.Sprintf("[{%s 45 40 30 %s}]", s.Path, strings.TrimSpace(bad)); fmt.Sprint(got) != want {
		t.Errorf("%+v, want %s", got, want)
	}
	clock = clock.Add(time.Hour) // a log without new lines stays reported
	if got := r.collector.State().Arrivals["web01"].Unparsed; len(got) != 1 {
		t.Errorf("an hour later: %+v", got)
	}
	if got := put(good); got != nil {
		t.Errorf("a line that parses: %+v", got)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestTheShareOfLinesThatDoNotParseIsOfTheLastMinutes checks that older lines are not counted, and
// the limit of logs.
func TestTheShareOfLinesThatDoNotParseIsOfTheLastMinutes(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var n parsing
	note := func(lines, errors int64) { n.note(now, "/a.log", &cut{lines: lines, errors: errors}, []byte("x\n"), 0) }
	note(100, 10)
	if got := n.list(now); len(got) != 1 || got[0].Errors != 10 || got[0].Lines != 100 || got[0].Example != "x" {
		t.Errorf("%+v", got)
	}
	now = now.Add(parsingSpan)
	note(1000, 0)
	if got := n.list(now); got != nil {
		t.Errorf("%+v", got)
	}
	now = now.Add(2 * parsingSpan)
	if n.list(now); n.some.Load() {
		t.Error("a log without errors is not forgotten")
	}
	for i := range 2 * maxUnparsedLogs {
		n.note(now, fmt.Sprint(i), &cut{lines: 1, errors: 1}, []byte("x\n"), 0)
	}
	if len(n.logs) != maxUnparsedLogs {
		t.Errorf("%d logs", len(n.logs))
	}
	if allocs := testing.AllocsPerRun(100, func() { n.note(now, "1", &cut{lines: 100, errors: 3}, []byte("x\n"), 0) }); allocs != 0 {
		t.Errorf("%v allocations a cut", allocs)
	}
}
