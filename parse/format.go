package parse

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/schema"
)

// Format is a compiled LogFormat or pattern. It does not change after Compile and is safe for
// concurrent use, with a record for each goroutine.
type Format struct {
	text   string
	fields []schema.Field
	prefix string // literal text before the first directive
	steps  []step
	zone   *time.Location
	parts  bool // the time is combined from several directives
	time   int  // index of the field time, -1
	end    int  // index of the field end_time, -1
	times  int  // number of bracketed times

	readings *sync.Pool // of *readings, for lines that do not match their format

	moment [2]uint64 // the parts of time and of end_time, a bit each

	pattern      *pattern // instead of steps
	retryPattern *pattern // with a longer timeout, if it backtracks: see Readings

	envelope envelope // around each line
}

// nicknames are the formats named in the configurations of httpd and Debian.
var nicknames = map[string]string{
	"common":         `%h %l %u %t "%r" %>s %b`,
	"combined":       `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`,
	"combinedio":     `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O`,
	"vhost_common":   `%v %h %l %u %t "%r" %>s %b`,
	"vhost_combined": `%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"`,
	"referer":        `%{Referer}i -> %U`,
	"agent":          `%{User-agent}i`,
}

// Names returns the nicknames that Lookup knows, sorted.
func Names() []string {
	var names []string
	for name := range nicknames {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// PatternPrefix is the prefix of a format that is a regular expression.
const PatternPrefix = "pattern:"

// Lookup compiles a format as users write it: a nickname (common, combined, …), a LogFormat string,
// or "pattern:" and a regular expression; with the prefix syslog:, cri: or docker: for lines in
// such an envelope. Times without a zone are in zone; nil is UTC.
func Lookup(text string, zone *time.Location) (*Format, error) {
	e, inner := envelopeOf(text)
	f, err := lookupBare(inner, zone)
	if err != nil {
		return nil, err
	}
	f.text, f.envelope = text, e
	return f, nil
}

func lookupBare(text string, zone *time.Location) (*Format, error) {
	if expr, ok := strings.CutPrefix(text, PatternPrefix); ok {
		return compilePattern(expr, zone)
	}
	format := text
	if s, ok := nicknames[text]; ok {
		format = s
	} else if !strings.Contains(text, "%") {
		return nil, fmt.Errorf("%w: %q is no directive and no nickname: use auto, %s, or a format string such as '%s'",
			ErrFormat, text, strings.Join(Names(), ", "), nicknames["common"])
	}
	f, err := Compile(format)
	if err != nil {
		return nil, err
	}
	if zone != nil {
		f.zone = zone
	}
	return f, nil
}

// String returns the text that Lookup compiles to this format.
func (f *Format) String() string { return f.text }

// Fields returns the format's fields in the order of the line. They are shared and must not be
// changed.
func (f *Format) Fields() []schema.Field { return f.fields }

// needsZone reports whether the format's times have no zone, so that one must be known otherwise.
func (f *Format) needsZone() bool {
	for _, s := range f.steps {
		if s.op == opTime && s.clock.local() {
			return !slices.ContainsFunc(f.steps, func(s step) bool { return s.op == opTime && s.clock.zoned() })
		}
	}
	return false
}
