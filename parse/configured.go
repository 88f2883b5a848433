package parse

import (
	"slices"
	"strings"
)

// FromConfig returns the format of text copied from an Apache configuration: a LogFormat or
// CustomLog directive, or its argument with the quotes. Blanks and quotes around a nickname are
// dropped. Other text is returned unchanged.
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
		// All of it is in quotes, with escaped quotes inside; a nickname may follow. A format that
		// is a single quoted value, "%r", is not changed.
		if format, rest, ok := confWord(trimmed); ok && isQuote(trimmed[0]) && strings.ContainsAny(format, `" `) && !strings.ContainsAny(rest, `% "'`) {
			return format
		}
	}
	return text
}

// IsDirective reports whether text begins like a LogFormat or CustomLog directive, possibly
// commented out. If [FromConfig] returns such a text, the directive is incomplete.
func IsDirective(text string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(text, "# \t"), " ")
	return slices.Contains([]string{"logformat", "customlog", "globallog"}, strings.ToLower(name))
}

func isQuote(c byte) bool { return c == '"' || c == '\'' }

// confWord reads a word like an argument of a directive in httpd: in quotes of either kind, without
// backslashes before quotes and backslashes; or up to a blank.
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
