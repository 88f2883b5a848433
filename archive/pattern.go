package archive

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Pattern is an archive path with Flume's escapes: /logs/%Y%m%d/%{host}. The escapes are those of
// Flume's HDFS sink, with English names of days and months:
//
//	%Y 2026  %y 26      %m 09   %n 9     %b Sep  %B September
//	%d 03    %e 3       %j 246  %a Thu   %A Thursday
//	%H 07    %k 7       %I 07   %l 7     %p AM   %M 05   %S 09
//	%D 09/03/26         %c Thu Sep 3 07:05:09 2026
//	%s seconds since 1970       %t milliseconds     %z +0200
//	%{host} the host            %{label:site} the value of the label site
//	%% a percent sign
//
// A log without the label goes to the directory unknown, see labelElement.
//
// %[localhost] and similar escapes are rejected: a name that depends on the machine that makes it
// cannot be made again elsewhere.
type Pattern struct {
	root   string
	steps  []step
	unit   Unit
	labels []string // each once, in their order
}

// step is literal text, the host, a label, or a unit of time.
type step struct {
	literal string
	host    bool
	label   string
	time    func(time.Time) string
	letter  byte // of the time's escape
}

// Unit is the unit of time that the files of one directory cover.
type Unit uint8

// Day is the longest unit: a file has lines of one date only, whatever the pattern.
const (
	Day Unit = iota
	Hour
	Minute
	Second
)

func (u Unit) String() string { return [...]string{"day", "hour", "minute", "second"}[u] }

// escape is the meaning of a letter: a Go time layout or a function.
type escape struct {
	unit   Unit
	layout string
	format func(time.Time) string
}

// escapes is immutable.
var escapes = map[byte]escape{
	'Y': {unit: Day, layout: "2006"},
	'y': {unit: Day, layout: "06"},
	'm': {unit: Day, layout: "01"},
	'n': {unit: Day, layout: "1"},
	'b': {unit: Day, layout: "Jan"},
	'B': {unit: Day, layout: "January"},
	'd': {unit: Day, layout: "02"},
	'e': {unit: Day, layout: "2"},
	'j': {unit: Day, layout: "002"},
	'a': {unit: Day, layout: "Mon"},
	'A': {unit: Day, layout: "Monday"},
	'z': {unit: Day, layout: "-0700"},
	'D': {unit: Day, layout: "01/02/06"},
	'H': {unit: Hour, layout: "15"},
	'k': {unit: Hour, format: func(t time.Time) string { return fmt.Sprint(t.Hour()) }},
	'I': {unit: Hour, layout: "03"},
	'l': {unit: Hour, layout: "3"},
	'p': {unit: Hour, layout: "PM"},
	'M': {unit: Minute, layout: "04"},
	'S': {unit: Second, layout: "05"},
	'c': {unit: Second, format: func(t time.Time) string { return pathElement(t.Format("Mon Jan 2 15:04:05 2006")) }},
	's': {unit: Second, format: func(t time.Time) string { return fmt.Sprint(t.Unix()) }},
	't': {unit: Second, format: func(t time.Time) string { return fmt.Sprint(t.UnixMilli()) }},
}

// ParsePattern parses a pattern. Its root is the directories before the first one with an escape;
// it must not be empty.
func ParsePattern(s string) (Pattern, error) {
	p, err := parsePattern(s)
	if err != nil {
		return Pattern{}, fmt.Errorf("archive pattern %q: %w", s, err)
	}
	return p, nil
}

func parsePattern(s string) (Pattern, error) {
	root, rest := splitRoot(s)
	if root == "" {
		return Pattern{}, fmt.Errorf("begin with a directory, as in /logs/%%Y%%m%%d/%%{host}")
	}
	p := Pattern{root: path.Clean(root)}
	for element := range strings.SplitSeq(rest, "/") {
		if element == "" {
			continue // two slashes in a row, or one at the end
		}
		if len(p.steps) > 0 {
			p.steps = append(p.steps, step{literal: "/"})
		}
		if err := p.parseElement(element); err != nil {
			return Pattern{}, err
		}
	}
	return p, nil
}

// splitRoot cuts s after the last slash before its first escape.
func splitRoot(s string) (root, rest string) {
	percent := strings.IndexByte(s, '%')
	if percent < 0 {
		return s, ""
	}
	slash := strings.LastIndexByte(s[:percent], '/')
	return s[:slash+1], s[slash+1:]
}

func (p *Pattern) parseElement(s string) error {
	if s[0] == '.' || s[0] == '_' {
		return badElement(s)
	}
	first := len(p.steps)
	for s != "" {
		literal, rest, found := strings.Cut(s, "%")
		if literal != "" {
			if strings.ContainsFunc(literal, unsafeRune) {
				return badElement(literal)
			}
			p.steps = append(p.steps, step{literal: literal})
		}
		if !found {
			return nil
		}
		var err error
		if s, err = p.parseEscape(rest); err != nil {
			return err
		}
		if p.names(first) > 1 {
			return fmt.Errorf("one directory's name holds two of %%{host} and %%{label:NAME}, whose values could not be separated again; put a slash between them")
		}
	}
	return nil
}

// names counts the steps from first on whose text varies.
func (p *Pattern) names(first int) (n int) {
	for _, s := range p.steps[first:] {
		if s.host || s.label != "" {
			n++
		}
	}
	return n
}

func badElement(s string) error {
	return fmt.Errorf("%q cannot be a directory of an archive: no leading dot or underscore (Hadoop's readers skip those), no colon, backslash or control character", s)
}

// parseEscape parses what follows a percent sign and returns the text after it.
func (p *Pattern) parseEscape(s string) (rest string, err error) {
	if s == "" {
		return "", fmt.Errorf("it ends in a single %%; write %%%% for a percent sign")
	}
	switch s[0] {
	case '%':
		p.steps = append(p.steps, step{literal: "%"})
		return s[1:], nil
	case '{':
		return p.parseName(s[1:])
	case '[':
		return "", fmt.Errorf("%%[…] depends on the machine and is not supported; use %%{host} or a label such as %%{label:site}")
	}
	e, known := escapes[s[0]]
	if !known {
		letters := slices.Sorted(maps.Keys(escapes))
		return "", fmt.Errorf("unknown escape %%%c; known are %%%%, %%{host}, %%{label:NAME} and %% with one of %s", s[0], letters)
	}
	if e.format == nil {
		layout := e.layout
		e.format = func(t time.Time) string { return t.Format(layout) }
	}
	p.steps = append(p.steps, step{time: e.format, letter: s[0]})
	p.unit = max(p.unit, e.unit)
	return s[1:], nil
}

// parseName parses host or label:NAME and the closing brace.
func (p *Pattern) parseName(s string) (rest string, err error) {
	name, rest, closed := strings.Cut(s, "}")
	label, isLabel := strings.CutPrefix(name, "label:")
	switch {
	case !closed:
		return "", fmt.Errorf("%%{%s has no closing brace; a label's name cannot hold a slash", name)
	case name == "host":
		p.steps = append(p.steps, step{host: true})
	case isLabel && label != "":
		p.steps = append(p.steps, step{label: label})
		if !slices.Contains(p.labels, label) {
			p.labels = append(p.labels, label)
		}
	case isLabel || name == "":
		return "", fmt.Errorf("%%{%s} has no name; write %%{host}, or %%{label:site} for the label site", name)
	default:
		return "", fmt.Errorf("%%{%s} is not known; write %%{host}, or %%{label:%s} for the label %s", name, name, name)
	}
	return rest, nil
}

// Root returns the directory that Expand's names are relative to.
func (p Pattern) Root() string { return p.root }

// Unit returns the shortest unit of time in the pattern.
func (p Pattern) Unit() Unit { return p.unit }

// Period returns the period of the pattern's unit that contains t, in the zone of t. Lines of one
// period go to one directory. A day with a change of the clocks has 23 or 25 hours.
func (p Pattern) Period(t time.Time) (start, end time.Time) {
	y, m, d := t.Date()
	if p.unit == Day {
		return time.Date(y, m, d, 0, 0, 0, 0, t.Location()), time.Date(y, m, d+1, 0, 0, 0, 0, t.Location())
	}
	length := [...]time.Duration{Hour: time.Hour, Minute: time.Minute, Second: time.Second}[p.unit]
	// time.Date cannot be used, as it cannot tell apart the two hours with the same name at the end
	// of summer time; nor Truncate alone, as it does not know a zone of 5 h 30 min.
	_, east := t.Zone()
	offset := time.Duration(east) * time.Second
	start = t.Add(offset).Truncate(length).Add(-offset)
	return start, start.Add(length)
}

// Expand returns the directory below Root for the event time, in its own zone, the host and the
// labels of a log. It depends on its arguments only, and is the same for all times of a Period and
// for all labels of a Group. An empty host is an error if the pattern has it. The host becomes an
// element of the path by pathElement, each label's value by labelElement.
func (p Pattern) Expand(event time.Time, host string, labels map[string]string) (string, error) {
	start, _ := p.Period(event)
	var b strings.Builder
	for _, s := range p.steps {
		switch {
		case s.time != nil:
			b.WriteString(s.time(start))
		case s.label != "":
			b.WriteString(labelElement(labels[s.label]))
		case !s.host:
			b.WriteString(s.literal)
		case host == "":
			return "", fmt.Errorf("archive pattern: no value for %%{host}")
		default:
			b.WriteString(pathElement(host))
		}
	}
	return b.String(), nil
}

// Group returns a key that is the same for all labels with the same directory; "" if the pattern
// has no label.
func (p Pattern) Group(labels map[string]string) string {
	if len(p.labels) == 0 {
		return ""
	}
	var b strings.Builder
	for i, name := range p.labels {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(labelElement(labels[name]))
	}
	return b.String()
}
