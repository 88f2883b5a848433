package parse

import (
	"slices"
	"strings"
)

// FromConfig returns the format in what people copy from an Apache configuration: a
// LogFormat or CustomLog directive, or its argument with the quotes. Blanks and quotes
// around a nickname are dropped. Anything else is returned as it is.
func FromConfig(text string) string {
	trimmed := strings.TrimSpace(text)
	if nickname := strings.Trim(trimmed, `"'`); nickname == AutoName || nicknames[nickname] != "" {
		return nickname
	}
	name, rest, _ := strings.Cut(trimmed, " ")
	switch strings.ToLower(name) {
	case "logformat":
		if format, _, ok := confWord(rest); ok {
			return format
		}
	case "customlog", "globallog":
		if _, rest, ok := confWord(rest); ok {
			if format, _, ok := confWord(rest); ok {
				return format
			}
		}
	default:
		// The whole of it in quotes, and those within escaped; a nickname may follow. A
		// format of which all is one quoted value, "%r", is left as it is.
		if format, rest, ok := confWord(trimmed); ok && isQuote(trimmed[0]) && strings.ContainsAny(format, `" `) && !strings.ContainsAny(rest, `% "'`) {
			return format
		}
	}
	return text
}

// IsDirective reports whether text begins as a LogFormat or CustomLog directive does,
// perhaps commented out. If [FromConfig] returns such a text, the directive is incomplete.
func IsDirective(text string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(text, "# \t"), " ")
	return slices.Contains([]string{"logformat", "customlog", "globallog"}, strings.ToLower(name))
}

func isQuote(c byte) bool { return c == '"' || c == '\'' }

// confWord reads a word as httpd reads an argument of a directive: in quotes of either
// kind, a backslash in front of a quote or a backslash dropped, or up to a blank.
func confWord(s string) (word, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	if s == "" {
		return "", "", false
	}
	quote := s[0]
	if !isQuote(quote) {
		i := strings.IndexAny(s, " \t")
		if i < 0 {
			i = len(s)
		}
		return s[:i], strings.TrimLeft(s[i:], " \t"), true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return b.String(), strings.TrimLeft(s[i+1:], " \t"), true
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == quote || s[i+1] == '\\'):
			i++
			fallthrough
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}
