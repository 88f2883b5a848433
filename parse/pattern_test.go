package parse

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/schema"
)

func TestPatternGivesTypedFields(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ expr, line, want string }{
		{`^(?P<client>\S+) (?P<status>\d+|-) (?P<note>.*)$`, `192.0.2.1 200 a\"b`,
			`client = "192.0.2.1" = 192.0.2.1; status = 200; note = "a\"b"`},
		{`^(?P<client>\S+) (?P<status>\d+|-) (?P<note>.*)$`, `host.example.com - `, `client = "host.example.com"; status = null; note = ""`},
		{`^(?P<note>.*)$`, `-`, `note = null`},
		{`^a(?P<x>b)?c(?P<y>d*)$`, `ac`, `x = null; y = ""`},
		{`^(?P<bytes>\S+)$`, `12x`, `bytes = null; error at 0 of (?P<bytes>)`},
		{`^(?P<bytes>\S+)$`, `99999999999999999999`, `bytes = null; error at 0 of (?P<bytes>)`},
		{`(?P<time>\S+ \S+)$`, `x 2015-05-17 10:05:03`, `time = 1431849903000000000`},
		{`(?P<time>.+)$`, `2015-05-17T10:05:03.5Z`, `time = 1431857103500000000`},
		{`(?P<time>.+)$`, `17/May/2015:10:05:03 +0000`, `time = 1431857103000000000`},
		{`(?P<time>.+)$`, `1431857103`, `time = 1431857103000000000`},
		{`(?P<time>.+)$`, `2015-10-25 02:30:00`, `time = 1445733000000000000`},
		{`(?P<time>.+)$`, `2015-10-25 02:30:00 +0100`, `time = 1445736600000000000`},
		{`(?P<time>.+)$`, `-`, `time = null`},
		{`(?P<time>.+)$`, `yesterday`, `time = null; error at 0 of (?P<time>)`},
		{`(?P<time>.+)$`, `1815-06-18T11:00:00Z`, `time = null; error at 0 of (?P<time>)`},
		{`^(?P<a>[\xe9\xff]+)(?P<b>é?)$`, "\xe9\xff\xc3\xa9", `a = "\xe9\xff"; b = "é"`},
		{`^(?P<a>.+)$`, "\xff\x00\xc3", `a = "\xff\x00\xc3"`},
		{`^(?P<a>\w+)$`, "no match", `a = null; error at 0 of pattern`},
		{`^(?P<a>\w+)$`, "crlf\r", `a = "crlf"`},
		{`(?P<Status>\d+)`, "200", `status = 200`},
	} {
		f, err := compilePattern(c.expr, berlin)
		if err != nil {
			t.Fatal(err)
		}
		var rec schema.Record
		f.Parse([]byte(c.line), &rec)
		var got []string
		for i, field := range rec.Fields {
			got = append(got, field.Name+" = "+dumpValue(&rec, i))
		}
		if rec.Err.Set() {
			got = append(got, "error at 0 of "+rec.Err.Directive)
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s of %q:\n got %s\nwant %s", c.expr, c.line, s, c.want)
		}
	}
}

func TestPatternThatBacktracksIsAParseErrorAndNotAHang(t *testing.T) {
	f, err := compilePattern(`^(?P<a>(x+x+)+)(?=y)(?P<b>y)$`, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rec schema.Record
	f.Parse([]byte(strings.Repeat("x", 60)), &rec)
	if !strings.Contains(rec.Err.Reason, "backtracks") || rec.Err.Directive != "pattern" || !rec.Null(0) {
		t.Errorf("%v", rec.Err)
	}
	f.Parse([]byte("xxy"), &rec)
	if rec.Err.Set() || string(rec.Bytes(0)) != "xx" {
		t.Errorf("the line after it: %s", dump(&rec))
	}
}

func TestPatternTimesAreExactOrNull(t *testing.T) {
	f, err := compilePattern(`^(?P<time>.*)$`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int64{
		"1431857103.5": 1431857103_500000000, "1431857103.123456789": 1431857103_123456789, "1431857103.000000001": 1431857103_000000001,
		"1431857103.10": 1431857103_100000000, "0.5": 500000000, "1431857103": 1431857103_000000000, "9214646399.999999999": 9214646399_999999999,
		"1431857103123": 1431857103_123000000, "1431857103123.456": 1431857103_123456000, "1431857103123456": 1431857103_123456000,
		"1431857103123456.789": 1431857103_123456789, "1431857103123456789": 1431857103_123456789,
		"1431857103.": -1, ".5": -1, "1431857103.1234567890": -1, "1431857103,5": -1, "1.4e9": -1, "+1431857103": -1, "-1431857103": -1,
		"14318571031": -1, "143185710312": -1, "14318571031234": -1, "143185710312345": -1, "14318571031234567": -1, "143185710312345678": -1,
		"0431857103123": -1, "9214646400": -1, "9999999999999999999": -1, "1431857103.5 ": -1, "1431857103.5.5": -1, "1431857103.-5": -1, "": -1,
	} {
		var rec schema.Record
		f.Parse([]byte(text), &rec)
		switch {
		case want < 0 && (rec.Dated || !rec.Null(0) || !rec.Err.Set()):
			t.Errorf("%q: %d, %v", text, rec.Time, rec.Err)
		case want >= 0 && (rec.Time != want || !rec.Dated || rec.Err.Set()):
			t.Errorf("%q: %d, want %d; %v", text, rec.Time, want, rec.Err)
		}
	}
}

func TestAPatternWithoutCPUTimeIsTriedAgain(t *testing.T) {
	f, err := compilePattern(`^(?P<a>\w+) (?=\d)(?P<b>\d+)`, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rec schema.Record
	var group sync.WaitGroup
	stop := make(chan struct{})
	for range 8 * runtime.GOMAXPROCS(0) { // more than there are processors
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for n := range 20_000 {
		f.Parse([]byte("word 12"), &rec)
		if rec.Err.Set() {
			t.Errorf("line %d: %v", n, rec.Err)
			break
		}
	}
	close(stop)
	group.Wait()
}

func TestAPatternThatBacktracksAtEachLineGoesOn(t *testing.T) {
	for _, expr := range []string{`^(?P<a>(\S+)+)(?= )y`, `^(?P<a>(\w+)+)\1z`, `(?P<a>(x+x+)+(?<=x)y)`, `^(?P<a>(?:[a-z]+x?)+)(?<!x)!`} {
		f, err := compilePattern(expr, nil)
		if err != nil {
			t.Fatal(err)
		}
		var rec schema.Record
		for range 20 {
			f.Parse([]byte(strings.Repeat("x", 200)), &rec)
			if !strings.Contains(rec.Err.Reason, "backtracks") || rec.Dated || !rec.Null(0) {
				t.Fatalf("%s: %v", expr, rec.Err)
			}
		}
	}
}

func TestPatternsThatBacktrackReadTheLongestLines(t *testing.T) {
	if raceDetector {
		t.Skip("counted without the race detector: make plain")
	}
	long := strings.Repeat("a", 98_000)
	for expr, line := range map[string]string{
		`^(?P<a>\S+)(?= x)(?P<b>.*)$`: long + " x end", `^(?P<a>(?:(?! x).)*) x(?P<b>.*)$`: long + " x end", `^(?P<a>.*?)(?= x)(?P<b>.*)$`: long + " x end",
		`^(?P<client>\S+) \S+ (?P<user>.*?) \[(?P<time>[^\]]+)\] "(?!POST)(?P<r>(?:[^"\\]|\\.)*)" (?P<status>\d+)`: `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /` + long + ` HTTP/1.1" 200`,
	} {
		f, err := compilePattern(expr, nil)
		if err != nil {
			t.Fatal(err)
		}
		var rec schema.Record
		for range 3 {
			if f.Parse([]byte(line), &rec); rec.Err.Set() || !f.Backtracks() {
				t.Errorf("%s: %v", expr, rec.Err)
			}
		}
	}
}

func TestBadPatternsReportWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ expr, message string }{
		{`(`, "pattern"},
		{`(?P<a>x`, "pattern"},
		{`\S+`, "no named group"},
		{`(\S+)`, "no named group"},
		{`(?P<logbody>.*)`, "cannot be called logbody"},
		{`(?P<host>.*)`, "cannot be called host"},
		{`(?P<parse_error>.*)`, "cannot be called parse_error"},
		{`(?P<a>x)(?P<A>y)`, "cannot be called a"},
		{`(?P<café>x)`, "pattern"},
	} {
		f, err := Lookup(PatternPrefix+c.expr, nil)
		if f != nil || !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", c.expr, err, c.message)
		}
	}
}
