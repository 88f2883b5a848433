package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A path is bytes, and JSON is text: a name that is not UTF-8 would come back with
// U+FFFD for each byte that is not. Such a path stands in JSON twice: as text for
// people, and as bytes beside it.

// PathBytes returns what stands beside a path in JSON: its bytes where it is not UTF-8,
// nil where the text says all.
func PathBytes(path string) []byte {
	if utf8.ValidString(path) {
		return nil
	}
	return []byte(path)
}

// PathOf returns the path that was written as text and as PathBytes.
func PathOf(text string, bytes []byte) string {
	if len(bytes) > 0 {
		return string(bytes)
	}
	return text
}

// PathText is a path for people: what is not UTF-8 is written as \xhh, and in such a
// path a backslash as \\, so that no two paths have the same text.
func PathText(path string) string {
	if utf8.ValidString(path) {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); {
		r, n := utf8.DecodeRuneInString(path[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, path[i])
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}
