package logfile

import (
	"bytes"
	"unicode/utf8"
)

const (
	// wordBytes is a length of printable text that does not occur by chance: in random bytes, once
	// in 2^33.
	wordBytes = 24
	// maxControlShare: at most one byte of a text in so many is a control byte.
	maxControlShare = 50
)

// isText reports whether a file that begins with b can be a log. Leading NULs are a hole from a
// truncation. The first line decides, because it stays when the log grows; if it is not text, the
// majority of the lines decides.
func isText(b []byte) bool {
	b = bytes.Trim(b, "\x00")
	if len(b) == 0 {
		return true
	}
	controls := 0
	for _, c := range b {
		if isControl(c) {
			controls++
		}
	}
	if controls*maxControlShare <= len(b) {
		return true
	}
	good, bad := 0, 0
	for first := true; len(b) > 0; first = false {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		b = rest
		switch text, words := looksLikeLine(line); {
		case first && words:
			return true
		case text:
			good++
		default:
			bad++
		}
	}
	return good > bad
}

// looksLikeLine reports whether a line is text, and whether it has words.
func looksLikeLine(line []byte) (text, words bool) {
	line = bytes.Trim(line, "\x00")
	if 2*bytes.Count(line, []byte{0}) > len(line) {
		return false, false
	}
	controls, run := 0, 0
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		switch {
		case r == utf8.RuneError && size == 1 || isControl(line[i]):
			run = 0
			if isControl(line[i]) {
				controls++
			}
		default:
			if run += size; run >= wordBytes {
				return true, true
			}
		}
		i += size
	}
	// A few bytes prove little.
	return controls == 0 || len(line) < wordBytes && 4*controls <= len(line), false
}

// isControl reports whether c does not occur in text. Escapes of terminals and formatting
// characters do.
func isControl(c byte) bool {
	switch c {
	case '\t', '\n', '\v', '\f', '\r', '\b', 0x1b:
		return false
	}
	return c < ' ' || c == 0x7f
}

// isPrint reports whether c is an ASCII character that occurs in lines of text.
func isPrint(c byte) bool { return c >= ' ' && c < 0x7f || c == '\t' || c == '\r' || c == '\n' }
