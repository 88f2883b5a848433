package parse

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/schema"
)

const (
	inCommon   = `192.0.2.1 - joe [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 5`
	inCombined = inCommon + ` "-" "a \"b\" \\ \xc3\xa9"`
)

func docker(line string) string {
	b, err := json.Marshal(line + "\n")
	if err != nil {
		panic(err)
	}
	return `{"log":` + string(b) + `,"stream":"stdout","time":"2026-01-01T00:00:00.123456789Z"}`
}

var syslogHeaders = []string{
	"<134>Oct 11 22:14:15 web httpd[1]: ", "Oct  1 22:14:15 web httpd: ", "<13>Jan 31 00:00:00 192.0.2.9 apache2[4711]: ",
	"2026-01-01T00:00:00.123456+01:00 web apache: ", "<134>2026-01-01T00:00:00Z web docker/shop[12]: ",
	"<134>1 2026-01-01T00:00:00.003Z web.example.com httpd 1 access - ", `<134>1 2026-01-01T00:00:00Z web httpd - - [a@1 k="v ] \"x\""][b@2 l="m"] `,
	"<0>1 - - - - - - \ufeff",
}

var criHeaders = []string{
	"2026-01-01T00:00:00.000000000Z stdout F ", "2026-01-01T00:00:00.000000000+01:00 stderr F ", "2026-01-01T00:00:00Z stdout F:x ",
}

// values is a record's fields as text.
func values(rec *schema.Record) string {
	var b strings.Builder
	for i, f := range rec.Fields {
		fmt.Fprintf(&b, "%s=%q/%v/%d ", f.Name, rec.Bytes(i), rec.Null(i), rec.Values[i].Num)
	}
	return fmt.Sprintf("%stime=%d %v", b.String(), rec.Time, rec.Dated)
}

// TestALineInAnEnvelopeIsReadAsTheLineItself, and kept with its envelope.
func TestALineInAnEnvelopeIsReadAsTheLineItself(t *testing.T) {
	for _, inner := range []string{
		inCombined, inCombined + "\r", inCommon, "not a line", `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 2xx 5 "-" "curl"`, `2001:db8::1 - - [` + "\x01", "",
	} {
		bare, err := Lookup("combined", nil)
		if err != nil {
			t.Fatal(err)
		}
		var want schema.Record
		bare.Parse([]byte(inner), &want)
		lines := map[string]string{"\ufeff" + inner: "combined", docker(inner): "docker:combined", "\ufeff" + docker(inner): "docker:combined"}
		for _, h := range syslogHeaders {
			lines[h+inner] = "syslog:combined"
		}
		for _, h := range criHeaders {
			lines[h+inner] = "cri:combined"
		}
		for line, name := range lines {
			f, err := Lookup(name, nil)
			if err != nil || f.String() != name {
				t.Fatalf("%s: %v, %v", name, f, err)
			}
			var rec schema.Record
			f.Parse([]byte(line), &rec)
			if got := values(&rec); got != values(&want) {
				t.Errorf("%q:\n%s, want\n%s", line, got, values(&want))
			}
			if string(rec.Line) != line {
				t.Errorf("%q: the line is %q", line, rec.Line)
			}
			if rec.Err.Reason != want.Err.Reason || rec.Err.Directive != want.Err.Directive {
				t.Errorf("%q: %v, want %v", line, rec.Err, want.Err)
			}
			if want.Err.Set() && !strings.HasPrefix(name, "docker") && rec.Err.Offset-want.Err.Offset != len(line)-len(inner) {
				t.Errorf("%q: the error is at %d, and at %d of the line within", line, rec.Err.Offset, want.Err.Offset)
			}
		}
	}
	f, err := Lookup("docker:combined", nil)
	if err != nil {
		t.Fatal(err)
	}
	var rec schema.Record
	line := docker(`192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 2xx 5 "-" "curl"`)
	if f.Parse([]byte(line), &rec); !strings.HasPrefix(line[rec.Err.Offset:], "2xx 5") {
		t.Errorf("the error is at %q", line[rec.Err.Offset:])
	}
}

// TestALineWithoutItsEnvelopeHasNoFields: a value that is not certain is null.
func TestALineWithoutItsEnvelopeHasNoFields(t *testing.T) {
	for _, c := range []struct{ format, line, reason string }{
		{"syslog:combined", inCombined, "syslog header"}, {"syslog:combined", "<134>" + inCombined, "syslog header"}, {"syslog:combined", "", "syslog header"},
		{"syslog:combined", "<134>1 2026-01-01T00:00:00Z web httpd 1 access [no end " + inCombined, "syslog header"},
		{"syslog:combined", "Oct 11 22:14:15 web httpd", "syslog header"}, {"cri:common", inCommon, "stream and tag"},
		{"cri:common", "2026-01-01T00:00:00Z stdout P " + inCommon, "split the line"}, {"cri:common", "2026-01-01T00:00:00Z stdin F " + inCommon, "stream and tag"},
		{"cri:common", "2026-01-01T00:00:00Z", "stream and tag"},
		{"docker:common", inCommon, "json-file"}, {"docker:common", `{"log":"192.0.2.1 - - ","stream":"stdout","time":"2026-01-01T00:00:00Z"}`, "split the line"},
		{"docker:common", `{"log":"192.0.2.1`, "json-file"}, {"docker:common", `{"log":"\u12"}`, "json-file"}, {"docker:common", `{"log":"a\n"`, "json-file"},
	} {
		f, err := Lookup(c.format, nil)
		if err != nil {
			t.Fatal(err)
		}
		var rec schema.Record
		f.Parse([]byte(c.line), &rec)
		for i := range rec.Fields {
			if !rec.Null(i) {
				t.Errorf("%s: %q: %s is %q", c.format, c.line, rec.Fields[i].Name, rec.Bytes(i))
			}
		}
		if !strings.Contains(rec.Err.Reason, c.reason) || string(rec.Line) != c.line || rec.Dated {
			t.Errorf("%s: %q: %v", c.format, c.line, rec.Err)
		}
	}
}

func TestEnvelopesDoNotAllocate(t *testing.T) {
	for format, line := range map[string]string{
		"combined": "\ufeff" + inCombined, "docker:combined": docker(inCombined), "syslog:combined": syslogHeaders[0] + inCombined, "cri:combined": criHeaders[0] + inCombined,
	} {
		f, err := Lookup(format, nil)
		if err != nil {
			t.Fatal(err)
		}
		var rec schema.Record
		b := []byte(line)
		if n := testing.AllocsPerRun(100, func() { f.Parse(b, &rec) }); n != 0 {
			t.Errorf("%s: %v allocations", format, n)
		}
	}
}

// FuzzEnvelope: no line makes it panic, and each value is within the line.
func FuzzEnvelope(f *testing.F) {
	for _, h := range append(syslogHeaders, criHeaders...) {
		f.Add(h + inCombined)
	}
	f.Add(docker(inCombined))
	f.Add(`{"log":"\ud83d\ude00 \ud83d x\u0000\n"}`)
	f.Add("\ufeff\ufeff" + inCombined)
	f.Fuzz(func(t *testing.T, line string) {
		for _, name := range []string{"combined", "syslog:combined", "cri:common", "docker:vhost_combined", "docker:pattern:(?P<client>\\S+)"} {
			format, err := Lookup(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			var rec schema.Record
			format.Parse([]byte(line), &rec)
			if string(rec.Line) != line {
				t.Errorf("%s: another line", name)
			}
			for i := range rec.Fields {
				rec.Bytes(i)
				if v := rec.Values[i]; v.State == schema.InLine && int(v.End) > len(line) {
					t.Errorf("%s: field %d ends at %d of %d", name, i, v.End, len(line))
				}
			}
			if rec.Err.Set() && (rec.Err.Offset < 0 || rec.Err.Offset > len(line)) {
				t.Errorf("%s: an error at byte %d of %d", name, rec.Err.Offset, len(line))
			}
		}
	})
}
