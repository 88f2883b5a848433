package parse

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"

	"sluice/schema"
)

// patternTimeout bounds one line's match. regexp2's clock ticks at 100 ms, so
// a shorter one would say no more.
const patternTimeout = 200 * time.Millisecond

// pattern reads lines by a regular expression with named groups.
type pattern struct {
	re     *regexp2.Regexp
	groups []int // group number of each field
	zone   *time.Location
	runes  sync.Pool // *[]rune, a line as the engine wants it
}

// CompilePattern makes a format of a regular expression (RE2 syntax) whose
// named groups are the fields. A group with the name of a field that a
// LogFormat has (status, bytes, client, time, …) has that field's type. The
// expression sees bytes: in a class or an escape, \xE9 is the byte 0xE9.
func CompilePattern(expr string, zone *time.Location) (*Format, error) {
	if zone == nil {
		zone = time.UTC
	}
	re, err := regexp2.Compile(bytesAsRunes(expr), regexp2.RE2)
	if err != nil {
		return nil, fmt.Errorf("%w: pattern %q: %w", ErrFormat, expr, err)
	}
	re.MatchTimeout = patternTimeout
	f := &Format{text: PatternPrefix + expr, zone: zone, time: -1, end: -1}
	p := &pattern{re: re, zone: zone}
	for _, n := range re.GetGroupNumbers() {
		name := re.GroupNameFromNumber(n)
		if name == "" || name[0] >= '0' && name[0] <= '9' {
			continue
		}
		name = strings.ToLower(name)
		if reserved(name) {
			return nil, fmt.Errorf("%w: pattern %q: a group cannot be called %s, every row has one", ErrFormat, expr, name)
		}
		if !plainName(name) || schema.Index(f.fields, name) >= 0 {
			return nil, fmt.Errorf("%w: pattern %q: a group cannot be called %s: names are of a-z, 0-9 and _, each once", ErrFormat, expr, name)
		}
		if name == schema.TimeField {
			f.time = len(f.fields)
		}
		f.fields = append(f.fields, schema.Field{Name: name, Kind: patternKind(name), Directive: "(?P<" + name + ">)"})
		p.groups = append(p.groups, n)
	}
	if len(f.fields) == 0 {
		return nil, fmt.Errorf("%w: pattern %q has no named group: write (?P<client>\\S+) and the like", ErrFormat, expr)
	}
	f.pattern = p
	return f, nil
}

// plainName reports whether a name is fit for a qualifier and for Avro.
func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '_' && c-'0' > 9 && c-'a' > 'z'-'a' {
			return false
		}
	}
	return true
}

func patternKind(name string) schema.Kind {
	if name == "end_time" {
		return schema.Text
	}
	for _, m := range []map[string]spec{specs, argSpecs} {
		for _, s := range m {
			if s.field == name {
				return s.kind
			}
		}
	}
	return schema.Text
}

// bytesAsRunes makes a rune of each byte, so that the engine's positions are
// bytes and no byte is invalid.
func bytesAsRunes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// parse fills rec from its line.
func (p *pattern) parse(rec *schema.Record) {
	buffer, _ := p.runes.Get().(*[]rune)
	if buffer == nil {
		buffer = new([]rune)
	}
	defer p.runes.Put(buffer)
	line := trimCR(rec.Line)
	runes := (*buffer)[:0]
	for _, c := range line {
		runes = append(runes, rune(c))
	}
	*buffer = runes
	matched, err := p.match(runes, line, rec)
	if err != nil {
		// The engine's clock also runs while the process waits for a processor.
		matched, err = p.match(runes, line, rec)
	}
	switch {
	case err != nil:
		clear(rec.Values)
		rec.Err = schema.ParseError{Directive: "pattern", Reason: "no match within " + patternTimeout.String() + ": the pattern backtracks too much"}
	case !matched:
		rec.Err = schema.ParseError{Directive: "pattern", Reason: "the line does not match"}
	}
}

func (p *pattern) match(runes []rune, line []byte, rec *schema.Record) (matched bool, err error) {
	r := reader{rec: rec, line: line, escaped: true}
	err = p.re.FindRunesMatches(runes, 0, func(v regexp2.MatchView) bool {
		matched = true
		for field, group := range p.groups {
			if start, n, ok := v.GroupRange(group); ok {
				p.set(&r, field, start, start+n)
			}
		}
		return false
	})
	return matched, err
}

// set stores a group's value by the field's type. A number or time that is none
// is null and a parse error.
func (p *pattern) set(r *reader, field, start, end int) {
	f := &r.rec.Fields[field]
	v := &r.rec.Values[field]
	bad := func(reason string) {
		*v = schema.Value{}
		r.rec.Err = schema.ParseError{Offset: start, Directive: f.Directive, Reason: reason}
	}
	switch f.Kind {
	case schema.Int:
		whole := reader{rec: r.rec, line: r.line[:end]}
		if next, reason := whole.readInt(&step{field: field}, start); reason != "" || next != end {
			bad("a number or - is expected")
		}
	case schema.Time:
		if end-start == 1 && r.line[start] == '-' {
			return
		}
		nanos, zone, ok := parsePatternTime(string(r.line[start:end]), p.zone)
		if !ok {
			bad("a time like 17/May/2015:10:05:03 +0000 or 2015-05-17T10:05:03Z is expected")
			return
		}
		v.Num, v.Start, v.End, v.State = nanos, uint32(start), uint32(end), schema.InLine
		r.rec.ZoneSeconds = zone
	default:
		r.set(field, start, end)
		if f.Kind == schema.Addr {
			whole := reader{rec: r.rec, line: r.line[:end]}
			whole.readIPv4(&step{field: field, last: true}, start)
		}
	}
}

// patternTimes are the ways a pattern's time may be written.
var patternTimes = []string{
	"02/Jan/2006:15:04:05 -0700", "[02/Jan/2006:15:04:05 -0700]", time.RFC3339Nano,
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02T15:04:05.999999999-0700",
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", time.ANSIC,
}

func parsePatternTime(s string, zone *time.Location) (nanos int64, zoneSeconds int32, ok bool) {
	for _, layout := range patternTimes {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			if !strings.Contains(layout, "07") { // no zone in the line
				t = earlier(t)
			}
			if !inRange(t) {
				return 0, 0, false
			}
			_, offset := t.Zone()
			return t.UnixNano(), int32(offset), true
		}
	}
	var c clock
	if next, good := c.readEpoch(epochSeconds, []byte(s), 0); good && next == len(s) {
		return c.epochNanos, 0, true
	}
	return 0, 0, false
}
