package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A path is bytes, and JSON is text: in a name that is not UTF-8, each invalid byte would be read
// back as U+FFFD. So such a path is in JSON twice: as text for people, and as bytes in a second
// field.

// PathBytes returns the second field of a path in JSON: its bytes if it is not UTF-8, otherwise
// nil.
func PathBytes(path string) []byte {
	if utf8.ValidString(path) {
		return nil
	}
	return []byte(path)
}

// PathOf returns the path of the text and the PathBytes.
func PathOf(text string, bytes []byte) string {
	if len(bytes) > 0 {
		return string(bytes)
	}
	return text
}

// PathText formats a path for people: bytes that are not UTF-8 become \xhh, and in such a path a
// backslash becomes \\, so that no two paths have the same text.
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
