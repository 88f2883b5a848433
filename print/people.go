package print

import (
	"fmt"
	"io"
	"strings"
)

// Text returns s safe for a terminal: control characters, characters that change the direction of
// writing, and bytes that are not UTF-8 become \xhh. Print names and reasons of other hosts with
// it, or with Textf.
func Text(s string) string { return string(tableText.append(nil, []byte(s))) }

// Textf is fmt.Fprintf for a terminal: each argument that is a text, an error or has a String
// method goes through [Text]. The lines of an error are kept, including its hint.
func Textf(w io.Writer, format string, args ...any) (int, error) {
	return fmt.Fprintf(w, format, harmless(args)...)
}

// Textln is fmt.Fprintln for a terminal, like Textf.
func Textln(w io.Writer, args ...any) (int, error) { return fmt.Fprintln(w, harmless(args)...) }

func harmless(args []any) []any {
	safe := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case error:
			lines := strings.Split(v.Error(), "\n")
			for i := range lines {
				lines[i] = Text(lines[i])
			}
			safe[i] = strings.Join(lines, "\n")
		case fmt.Stringer:
			safe[i] = Text(v.String())
		case string:
			safe[i] = Text(v)
		case []string:
			texts := make([]string, len(v))
			for i := range v {
				texts[i] = Text(v[i])
			}
			safe[i] = texts
		default:
			safe[i] = arg
		}
	}
	return safe
}

// turnsText reports whether a character changes the direction of the text around it, or ends a line
// in some terminals.
func turnsText(r rune) bool {
	return r == 0x61c || r == 0x200e || r == 0x200f || 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}
