package parse

import (
	"bytes"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/schema"
)

var (
	hostName = regexp.MustCompile(`^(?i:[a-z0-9_-]+\.)*(?i:[a-z0-9_-]*[a-z_-][a-z0-9_-]*)\.?$`)
	apaches  = regexp.MustCompile(`\[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-](?:[01]\d|2[0-3])[0-5]\d\]`)
)

const apacheTime = "[02/Jan/2006:15:04:05 -0700]"

// span is the position of a value in the line, with the brackets of a time.
type span struct{ step, start, end int }

// checkValues checks what holds for every value that was read by a LogFormat. Addresses, numbers and
// times are compared with the standard library.
func checkValues(t *testing.T, f *Format, line []byte, rec *schema.Record) {
	t.Helper()
	line = bytes.TrimSuffix(line, []byte("\r"))
	var spans []span
	for i := range f.steps {
		s := &f.steps[i]
		v := &rec.Values[s.field]
		if rec.Null(s.field) {
			continue
		}
		text := rec.Bytes(s.field)
		switch {
		case s.kind == schema.Addr && !isAddr(text):
			t.Fatalf("%s of %s is %q, which is no address", s.directive, f, text)
		case s.kind == schema.Int && strconv.FormatInt(v.Num, 10) != canonical(text):
			t.Fatalf("%s of %s is %d of %q", s.directive, f, v.Num, text)
		case s.op == opTime && s.clock.clf && !f.parts:
			at, err := time.Parse(apacheTime, "["+strings.Replace(string(text), ":60 ", ":59 ", 1)+"]")
			if diff := v.Num/1e9 - at.Unix(); err != nil || diff != 0 && !(diff == 1 && bytes.Contains(text, []byte(":60 "))) {
				t.Fatalf("%s of %s is %d of %q: %v", s.directive, f, v.Num, text, err)
			}
		}
		if v.State != schema.InLine || s.op == opTime && !s.clock.clf || s.op == opQuery || s.tail || i > 0 && f.steps[i-1].tail {
			continue // not in the line, of several spans, or without literals of its own
		}
		own := span{i, int(v.Start), int(v.End)}
		if s.op == opTime {
			own.start, own.end = own.start-1, own.end+1
		} else if s.user && own.start == own.end {
			continue // "": the quotes are not the value's
		}
		spans = append(spans, own)
	}
	for n, own := range spans {
		checkSpan(t, f, line, own)
		if n == 0 {
			continue
		}
		before := spans[n-1]
		between := string(line[before.end:max(before.end, own.start)])
		if own.start < before.end || before.step+1 == own.step && !rec.Err.Set() && between != f.steps[before.step].lit {
			t.Fatalf("%s and %s have %q between them, error %v", f.steps[before.step].directive, f.steps[own.step].directive, between, rec.Err)
		}
	}
}

// otherBlanks reports whether text is before, which ends with a blank, with other or more blanks at
// its end: they are in no value.
func otherBlanks(text, before string) bool {
	last := len(before) - 1
	blanks, found := strings.CutPrefix(text, before[:last])
	return found && isBlank(before[last:]) && blanks != "" && strings.Trim(blanks, " \t") == ""
}

// checkSpan checks the text around a value, and what no value may contain.
func checkSpan(t *testing.T, f *Format, line []byte, own span) {
	t.Helper()
	s := &f.steps[own.step]
	before := f.prefix
	if own.step > 0 {
		before = f.steps[own.step-1].lit
	}
	if s.op != opTime { // which is known by itself
		if start := string(line[:own.start]); own.step == 0 && before != "" && start != before && !otherBlanks(start, before) {
			t.Fatalf("%s of %s is %q behind %q, not %q", s.directive, f, line[own.start:own.end], line[:own.start], before)
		}
		checkBorder(t, f, s, before[max(0, len(before)-1):], string(line[max(0, own.start-1):own.start]))
		checkBorder(t, f, s, s.lit[:min(1, len(s.lit))], string(line[own.end:min(own.end+1, len(line))]))
	}
	value := line[own.start:own.end]
	quoted := strings.HasSuffix(before, `"`) && strings.HasPrefix(s.lit, `"`)
	for _, m := range apaches.FindAllIndex(line, -1) {
		at, err := time.Parse(apacheTime, string(line[m[0]:m[1]]))
		if err == nil && (at.Unix() < 0 || at.Year() > 2261) {
			continue // no row key has it
		}
		inside := own.start <= m[0] && m[1] <= own.end
		if err == nil && inside && s.op != opTime && bytes.Contains(value, []byte(`"`)) && !bytes.Contains(value, []byte(`\`)) {
			t.Fatalf("%s of %s has a time and a quote: %q", s.directive, f, value)
		}
		if err == nil && !inside && own.start < m[1] && m[0] < own.end {
			t.Fatalf("%s of %s is a part of a time: %q", s.directive, f, value)
		}
	}
	if quoted || s.op != opText {
		return
	}
	if bytes.HasPrefix(value, []byte(" ")) || bytes.HasSuffix(value, []byte(" ")) {
		t.Fatalf("%s of %s begins or ends with a blank: %q", s.directive, f, value)
	}
	if s.lit == " " && own.step+1 < len(f.steps) && f.steps[own.step+1].op != opTime && strings.HasSuffix(s.directive, "i") &&
		bytes.HasSuffix(value, []byte(",")) && !bytes.Contains(value, []byte(" ")) {
		t.Fatalf("%s of %s is the start of a list: %q", s.directive, f, value)
	}
}

// checkBorder checks that the byte beside a value is the format's; any blank matches a blank.
func checkBorder(t *testing.T, f *Format, s *step, want, got string) {
	t.Helper()
	blank := func(b string) bool { return b == " " || b == "\t" || b == "" }
	if got != want && !(blank(want) && blank(got)) {
		t.Fatalf("%s of %s has %q beside it, not %q", s.directive, f, got, want)
	}
}

func isAddr(text []byte) bool {
	_, err := netip.ParseAddr(string(text))
	return err == nil || hostName.Match(text)
}

// canonical is a number without zeros in front, as FormatInt writes it.
func canonical(text []byte) string {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return err.Error()
	}
	return strconv.FormatInt(n, 10)
}
