package httpdconf

import "strings"

// conversions are the globs of strftime's output in the C locale, in which rotatelogs and cronolog
// name their files. The length of a full weekday or month name varies, so a glob cannot express it.
var conversions = map[byte]string{
	'Y': digits(4), 'G': digits(4), 'C': digits(2), 'y': digits(2), 'g': digits(2),
	'm': digits(2), 'd': digits(2), 'e': "[ 0-9][0-9]", 'j': digits(3),
	'U': digits(2), 'V': digits(2), 'W': digits(2), 'u': digits(1), 'w': digits(1),
	'H': digits(2), 'I': digits(2), 'k': "[ 0-9][0-9]", 'l': "[ 0-9][0-9]", 'M': digits(2), 'S': digits(2),
	's': digits(10), 'z': "[+\\-]" + digits(4), 'Z': "*",
	'a': "[A-Z][a-z][a-z]", 'b': "[A-Z][a-z][a-z]", 'h': "[A-Z][a-z][a-z]", 'A': "[A-Z]*", 'B': "[A-Z]*",
	'p': "[AP]M", 'P': "[ap]m", 'n': "\n", 't': "\t", '%': "%",
}

// combinations are the conversions that are short for several.
var combinations = map[byte]string{
	'F': "%Y-%m-%d", 'D': "%m/%d/%y", 'x': "%m/%d/%y", 'T': "%H:%M:%S", 'X': "%H:%M:%S", 'R': "%H:%M",
	'r': "%I:%M:%S %p", 'c': "%a %b %e %H:%M:%S %Y",
}

func digits(n int) string { return strings.Repeat("[0-9]", n) }

// strftimeGlob returns the glob of the names that strftime makes of a template. A conversion with a
// flag or a width (%-d, %10Y) may have any length.
func strftimeGlob(template string) string {
	var b strings.Builder
	for rest := template; rest != ""; {
		if rest[0] != '%' || len(rest) == 1 {
			b.WriteString(escapeGlob(rest[:1]))
			rest = rest[1:]
			continue
		}
		var glob string
		glob, rest = conversion(rest)
		b.WriteString(glob)
	}
	return b.String()
}

// conversion splits one off s, which begins with '%' and more.
func conversion(s string) (glob, rest string) {
	flags := strings.TrimLeft(s[1:], "_-0^#+")
	after := strings.TrimLeft(flags, "0123456789")
	anyLength := len(after) < len(s)-1
	if after != "" && (after[0] == 'E' || after[0] == 'O') {
		after = after[1:] // another era or other digits, of which the C locale has none
	}
	if after == "" {
		return escapeGlob(s), ""
	}
	glob, known := conversions[after[0]]
	if !known && combinations[after[0]] != "" {
		glob, known = strftimeGlob(combinations[after[0]]), true
	}
	rest = after[1:]
	switch {
	case !known: // printed unchanged
		return escapeGlob(s[:len(s)-len(rest)]), rest
	case anyLength:
		return "*", rest
	}
	return glob, rest
}

// escapeGlob makes a glob that matches s only.
func escapeGlob(s string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`, `\`, `[\\]`).Replace(s)
}
