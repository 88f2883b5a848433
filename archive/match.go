package archive

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Match is what a directory's name says about its files.
type Match struct {
	// Host is "" if the pattern has none.
	Host string
	// Labels are the labels whose values are in the name; nil if there are none.
	Labels map[string]string
	// Time is the beginning of the period in the name, in UTC whatever the log's zone is. It is
	// zero if the name does not have the day.
	Time time.Time
}

// digits are the characters that the escapes of times can produce.
var digits = map[byte]string{
	'Y': `\d{4}`, 'y': `\d\d`, 'm': `\d\d`, 'n': `\d\d?`, 'b': `[A-Z][a-z]{2}`, 'B': `[A-Z][a-z]+`,
	'd': `\d\d`, 'e': `\d\d?`, 'j': `\d{3}`, 'D': `\d\d/\d\d/\d\d`, 'H': `\d\d`, 'M': `\d\d`, 'S': `\d\d`,
}

// Matcher parses the directory names of a pattern. It is safe for concurrent use.
type Matcher struct {
	re     *regexp.Regexp
	groups []group
}

// group is the meaning of a group of the expression: a Go time layout, the host, or a label.
type group struct {
	layout string
	host   bool
	label  string
}

// Matcher prepares the inverse of Expand.
func (p Pattern) Matcher() *Matcher {
	m := &Matcher{}
	var b strings.Builder
	b.WriteByte('^')
	add := func(re string, g group) {
		b.WriteString("(" + re + ")")
		m.groups = append(m.groups, g)
	}
	for _, s := range p.steps {
		switch {
		case s.host, s.label != "":
			add(`[^/]+`, group{host: s.host, label: s.label})
		case s.time == nil:
			b.WriteString(regexp.QuoteMeta(s.literal))
		case digits[s.letter] != "":
			add(digits[s.letter], group{layout: escapes[s.letter].layout})
		default:
			b.WriteString(`[^/]+?`)
		}
	}
	b.WriteByte('$')
	m.re = regexp.MustCompile(b.String())
	return m
}

// Match parses the directory of a file's name; false if the pattern does not make it. If values
// could be split in two ways ({a}-{b}), it returns one of them.
func (m *Matcher) Match(name string) (Match, bool) {
	dir := path.Dir(name)
	if dir == "." {
		dir = ""
	}
	groups := m.re.FindStringSubmatch(dir)
	if groups == nil {
		return Match{}, false
	}
	var found Match
	var layout, value []string
	for i, text := range groups[1:] {
		switch g := m.groups[i]; {
		case g.host:
			if !found.addHost(text) {
				return Match{}, false
			}
		case g.label != "":
			if !found.addLabel(g.label, text) {
				return Match{}, false
			}
		default:
			layout, value = append(layout, g.layout), append(value, text)
		}
	}
	t, err := time.Parse(strings.Join(layout, " "), strings.Join(value, " "))
	if err != nil {
		return Match{}, false
	}
	if hasDay(layout) {
		found.Time = t
	}
	return found, true
}

// addHost reports whether text can be the host, and equals the host elsewhere in the name.
func (m *Match) addHost(text string) bool {
	host, err := url.PathUnescape(text)
	if err != nil || pathElement(host) != text || m.Host != "" && m.Host != host {
		return false
	}
	m.Host = host
	return true
}

// addLabel is addHost for a label.
func (m *Match) addLabel(name, text string) bool {
	value, ok := labelValue(text)
	if !ok {
		return false
	}
	old, twice := m.Labels[name]
	switch {
	case twice:
		return old == value
	case value == "":
		return true
	case m.Labels == nil:
		m.Labels = map[string]string{}
	}
	m.Labels[name] = value
	return true
}

// hasDay reports whether the layouts determine a day.
func hasDay(layouts []string) bool {
	has := func(some ...string) bool {
		return slices.ContainsFunc(some, func(l string) bool { return slices.Contains(layouts, l) })
	}
	return has("01/02/06") || has("2006", "06") && (has("002") || has("01", "1", "Jan", "January") && has("02", "2"))
}
