package parse

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/schema"
)

// pattern parses lines with a regular expression with named groups.
type pattern struct {
	engine  engine
	groups  []int // group number of each field
	zone    *time.Location
	scratch sync.Pool // *scratch
}

// engine matches a regular expression.
type engine interface {
	// find returns start and end of each group in line, by group number: -1 for a group that did
	// not match, nil if the expression does not match. It returns an error if it could not decide
	// whether the expression matches.
	find(line []byte, s *scratch) ([]int, error)
	// names are the groups' names by number, "" for an unnamed group.
	names() []string
}

// scratch is the memory of one match, reused for one line after another.
type scratch struct {
	runes []rune // the line, a rune for each byte
	text  []byte // the same in UTF-8
	spans []int
}

// compilePattern compiles a regular expression (RE2 syntax, and lookaround and backreferences)
// whose named groups are the fields. A group with the name of a LogFormat's field (status, bytes,
// client, time, …) has that field's type. The expression matches bytes: in a class or an escape,
// \xE9 is the byte 0xE9. [Format.Backtracks] reports whether the time for a line can be more than
// linear in its length.
func compilePattern(expr string, zone *time.Location) (*Format, error) {
	if zone == nil {
		zone = time.UTC
	}
	engine, err := newEngine(bytesAsRunes(expr))
	if err != nil {
		return nil, fmt.Errorf("%w: pattern %q: %w", ErrFormat, expr, err)
	}
	f := &Format{text: PatternPrefix + expr, zone: zone, time: -1, end: -1}
	p := &pattern{engine: engine, zone: zone}
	for n, name := range engine.names() {
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
	if f.Backtracks() {
		retryPattern, err := newBacktracking(bytesAsRunes(expr), retryTimeout)
		if err != nil {
			return nil, fmt.Errorf("%w: pattern %q: %w", ErrFormat, expr, err)
		}
		f.retryPattern = &pattern{engine: retryPattern, groups: p.groups, zone: zone}
	}
	return f, nil
}

// newEngine returns the standard library's engine for an expression with the same meaning in
// regexp2, and regexp2's for any other.
func newEngine(expr string) (engine, error) {
	linear, err := newLinear(expr)
	if err != nil {
		return nil, err
	}
	if linear != nil && readAlike(expr) {
		return linear, nil
	}
	back, err := newBacktracking(expr, patternTimeout)
	if err != nil && linear != nil {
		return linear, nil // RE2 syntax that regexp2 does not support
	}
	return back, err
}

// Backtracks reports whether the format is a pattern whose matching can take more than linear time,
// so that a line chosen by a web client can make it slow. Such a pattern has a time limit for each
// line, and a line that takes longer is a parse error; whether it does depends on the machine, not
// on the line alone.
func (f *Format) Backtracks() bool {
	if f.pattern == nil {
		return false
	}
	_, ok := f.pattern.engine.(*backtracking)
	return ok
}

// Instructions is the number of instructions of a pattern's program: a line costs at most its bytes
// times this number. It is 0 for a LogFormat, and for a pattern that backtracks, which has no such
// bound.
func (f *Format) Instructions() int {
	if f.pattern == nil {
		return 0
	}
	if l, ok := f.pattern.engine.(*linear); ok {
		return l.instructions
	}
	return 0
}

// plainName reports whether a name is valid as a qualifier and in Avro.
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

// bytesAsRunes converts each byte to a rune, so that the engine's positions are bytes and no byte
// is invalid.
func bytesAsRunes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// parse fills rec from its line.
func (p *pattern) parse(rec *schema.Record) {
	sc, _ := p.scratch.Get().(*scratch)
	if sc == nil {
		sc = new(scratch)
	}
	defer p.scratch.Put(sc)
	line := trimCR(rec.Line)
	spans, err := p.engine.find(line, sc)
	switch {
	case err != nil:
		rec.Err = schema.ParseError{Directive: "pattern", Reason: err.Error()}
		return
	case spans == nil:
		rec.Err = schema.ParseError{Directive: "pattern", Reason: "the line does not match"}
		return
	}
	r := reader{rec: rec, line: line, escaped: true}
	for field, group := range p.groups {
		if start, end := spans[2*group], spans[2*group+1]; start >= 0 {
			p.set(&r, field, start, end)
		}
	}
}

// set stores a group's value with the field's type. An invalid number or time is null and a parse
// error.
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

// patternTimes are the accepted forms of a pattern's time.
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
	nanos, ok = parseEpoch(s)
	return nanos, 0, ok
}

// parseEpoch parses a count from 1970, possibly with a fraction, to the nanosecond. Seconds have at
// most 10 digits before 2262, and no log has lines from before 2001, when milliseconds had 13
// digits, microseconds 16 and nanoseconds 19. So the number of digits determines the unit, and
// other numbers are ambiguous.
func parseEpoch(s string) (nanos int64, ok bool) {
	whole, fraction, point := strings.Cut(s, ".")
	decimals := 0 // of a second, in the whole number
	switch n := len(whole); {
	case n == 13 || n == 16 || n == 19:
		decimals = n - 10
	case n == 0 || n > 10:
		return 0, false
	}
	if point && fraction == "" || decimals+len(fraction) > 9 {
		return 0, false
	}
	number := whole + fraction
	for i := range len(number) {
		if number[i]-'0' > 9 {
			return 0, false
		}
	}
	nanos, err := strconv.ParseInt(number+"000000000"[:9-decimals-len(fraction)], 10, 64)
	if err != nil || nanos/1e9 >= maxSeconds || decimals > 0 && whole[0] == '0' {
		return 0, false
	}
	return nanos, true
}
