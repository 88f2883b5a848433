package hdfs

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Match is what a name says that Expand made its directory of.
type Match struct {
	Labels map[string]string
	// Time is the beginning of the name's period, as far as its escapes tell, in UTC
	// whatever the log's zone is. The zero Time: they do not tell the day.
	Time time.Time
}

// digits are what the escapes that tell a moment write.
var digits = map[byte]string{
	'Y': `\d{4}`, 'y': `\d\d`, 'm': `\d\d`, 'n': `\d\d?`, 'b': `[A-Z][a-z]{2}`, 'B': `[A-Z][a-z]+`,
	'd': `\d\d`, 'e': `\d\d?`, 'j': `\d{3}`, 'D': `\d\d/\d\d/\d\d`, 'H': `\d\d`, 'M': `\d\d`, 'S': `\d\d`,
}

// Matcher reads the names that a pattern makes.
type Matcher struct {
	re      *regexp.Regexp
	layouts []string // of each group: a Go time layout, or
	labels  []string // the label's name
}

// Matcher prepares the way back from Expand.
func (p Pattern) Matcher() *Matcher {
	m := &Matcher{}
	var b strings.Builder
	b.WriteByte('^')
	group := func(re, layout, label string) {
		b.WriteString("(" + re + ")")
		m.layouts, m.labels = append(m.layouts, layout), append(m.labels, label)
	}
	for _, s := range p.steps {
		switch {
		case s.label != "":
			group(`[^/]+`, "", s.label)
		case s.time == nil:
			b.WriteString(regexp.QuoteMeta(s.literal))
		case digits[s.letter] != "":
			group(digits[s.letter], escapes[s.letter].layout, "")
		default:
			b.WriteString(`[^/]+?`)
		}
	}
	b.WriteByte('$')
	m.re = regexp.MustCompile(b.String())
	return m
}

// Match reads the directory of a file's name; false when the pattern does not make
// it. Of values that could be cut in two ways ({a}-{b}) it takes one.
func (m *Matcher) Match(name string) (Match, bool) {
	dir := path.Dir(name)
	if dir == "." {
		dir = ""
	}
	groups := m.re.FindStringSubmatch(dir)
	if groups == nil {
		return Match{}, false
	}
	found := Match{Labels: map[string]string{}}
	var layout, value []string
	for i, text := range groups[1:] {
		if label := m.labels[i]; label != "" {
			unescaped, err := url.PathUnescape(text)
			if err != nil || Element(unescaped) != text {
				return Match{}, false
			}
			if old, twice := found.Labels[label]; twice && old != unescaped {
				return Match{}, false
			}
			found.Labels[label] = unescaped
			continue
		}
		layout, value = append(layout, m.layouts[i]), append(value, text)
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

// hasDay reports whether the layouts tell a day.
func hasDay(layouts []string) bool {
	has := func(some ...string) bool {
		return slices.ContainsFunc(some, func(l string) bool { return slices.Contains(layouts, l) })
	}
	return has("01/02/06") || has("2006", "06") && (has("002") || has("01", "1", "Jan", "January") && has("02", "2"))
}
