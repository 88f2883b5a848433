package httpdconf

import (
	"bytes"
	"fmt"
	"strings"
)

// spaces are the bytes of C's isspace, at which httpd splits.
const spaces = " \t\n\v\f\r"

// lines splits a file into logical lines.
type lines struct {
	rest []byte
	read int // physical lines read
}

// next returns the next line, trimmed, its continuation lines joined, and the number of its first
// physical line. A backslash continues a line only before a newline (ap_cfg_getline), and in a
// comment, too.
func (l *lines) next() (text string, number int, ok bool, err error) {
	if len(l.rest) == 0 {
		return "", 0, false, nil
	}
	number = l.read + 1
	var joined []byte
	for len(l.rest) > 0 {
		line := l.rest
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		l.rest = l.rest[len(line):]
		l.read++
		joined = append(joined, line...)
		if len(joined) > maxLineBytes {
			return "", number, false, fmt.Errorf("a line of more than %d bytes; is this an httpd configuration?", maxLineBytes)
		}
		cut, continued := cutContinuation(joined)
		if !continued {
			break
		}
		joined = cut
	}
	if bytes.IndexByte(joined, 0) >= 0 {
		return "", number, false, fmt.Errorf("a NUL byte, at which httpd would cut the line; is this an httpd configuration?")
	}
	return strings.Trim(string(joined), spaces), number, true, nil
}

// cutContinuation examines all joined text, not the last physical line: two backslashes and an
// empty line continue twice, as in httpd.
func cutContinuation(line []byte) ([]byte, bool) {
	cut, ok := bytes.CutSuffix(line, []byte("\n"))
	if !ok {
		return line, false
	}
	return bytes.CutSuffix(bytes.TrimSuffix(cut, []byte("\r")), []byte(`\`))
}

// word splits the first word off a directive's arguments, by the rules of ap_getword_conf: a word
// in " or ' may contain spaces, and a backslash there escapes that quote and itself; outside quotes
// it escapes only itself. A quote inside an unquoted word is an ordinary byte, and a missing
// closing quote is accepted.
func word(s string) (w, rest string) {
	s = strings.TrimLeft(s, spaces)
	if s == "" {
		return "", ""
	}
	if s[0] == '"' || s[0] == '\'' {
		return quoted(s)
	}
	end := strings.IndexAny(s, spaces)
	if end < 0 {
		end = len(s)
	}
	return strings.ReplaceAll(s[:end], `\\`, `\`), strings.TrimLeft(s[end:], spaces)
}

func quoted(s string) (w, rest string) {
	var b strings.Builder
	quote, i := s[0], 1
	for ; i < len(s) && s[i] != quote; i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == quote || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	if i < len(s) {
		i++ // the closing quote
	}
	return b.String(), strings.TrimLeft(s[i:], spaces)
}

// words splits all arguments.
func words(s string) []string {
	var all []string
	for s = strings.TrimLeft(s, spaces); s != ""; {
		var w string
		w, s = word(s)
		all = append(all, w)
	}
	return all
}
