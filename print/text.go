package print

import (
	"bytes"
	"unicode/utf8"
)

// escaping is how an output writes text: unchanged, except for bytes that are not UTF-8 and
// characters that it cannot contain.
type escaping struct {
	plain [utf8.RuneSelf]bool // ASCII that is not escaped
	c1    bool                // escape U+0080 to U+009F, too, which control terminals
	still bool                // escape characters that change the direction of writing
	// escape appends the escape of a byte.
	escape func(dst []byte, c byte) []byte
}

// newEscaping escapes everything but printable ASCII without escaped, and the control characters
// kept.
func newEscaping(escape func(dst []byte, c byte) []byte, escaped, kept string) *escaping {
	e := &escaping{escape: escape}
	for c := ' '; c < 0x7f; c++ {
		e.plain[c] = true
	}
	for _, c := range escaped {
		e.plain[c] = false
	}
	for _, c := range kept {
		e.plain[c] = true
	}
	return e
}

var (
	jsonText = func() *escaping {
		e := newEscaping(escapeJSON, `"\`, "\x7f")
		e.c1 = true
		return e
	}()
	csvText   = newEscaping(escapeCSV, `"`, "\t\r\n")
	tsvText   = newEscaping(escapeTSV, `\`, "")
	tableText = func() *escaping {
		e := newEscaping(escapeHex, "", "")
		e.still = true
		return e
	}()
)

// append appends text.
func (e *escaping) append(dst, text []byte) []byte {
	start := 0 // of the text not yet appended
	for i := 0; i < len(text); {
		c := text[i]
		n := 1
		if c < utf8.RuneSelf {
			if e.plain[c] {
				i++
				continue
			}
		} else {
			var r rune
			r, n = utf8.DecodeRune(text[i:])
			if (r != utf8.RuneError || n > 1) && (e.c1 || r > 0x9f) && !(e.still && turnsText(r)) {
				i += n
				continue
			}
		}
		dst = append(dst, text[start:i]...)
		for _, c := range text[i : i+n] {
			dst = e.escape(dst, c)
		}
		i += n
		start = i
	}
	return append(dst, text[start:]...)
}

const hexDigits = "0123456789abcdef"

// escapeHex appends \xhh, as Apache does.
func escapeHex(dst []byte, c byte) []byte {
	return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
}

// escapeJSON escapes control characters like Java's Jackson.
func escapeJSON(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if c >= utf8.RuneSelf { // is no character, so it has no escape: \xhh as text
		return escapeHex(append(dst, '\\'), c)
	}
	const upper = "0123456789ABCDEF"
	return append(dst, `\u00`+upper[c>>4:c>>4+1]+upper[c&15:c&15+1]...)
}

func escapeCSV(dst []byte, c byte) []byte {
	if c == '"' {
		return append(dst, `""`...)
	}
	return escapeHex(dst, c)
}

func escapeTSV(dst []byte, c byte) []byte {
	switch c {
	case '\t':
		return append(dst, `\t`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\\':
		return append(dst, `\\`...)
	}
	return escapeHex(dst, c)
}

// appendJSON appends text as a JSON string.
func appendJSON(dst, text []byte) []byte {
	return append(jsonText.append(append(dst, '"'), text), '"')
}

// appendCSV appends a value of RFC 4180, quoted if necessary.
func appendCSV(dst, text []byte) []byte {
	if len(text) > 0 && !bytes.ContainsAny(text, "\",\r\n") {
		return csvText.append(dst, text)
	}
	return append(csvText.append(append(dst, '"'), text), '"')
}

// appendTSV appends a value between tabs.
func appendTSV(dst, text []byte) []byte { return tsvText.append(dst, text) }

// appendLatin1 appends bytes in Avro's JSON encoding: a string of the code points 0 to 255.
func appendLatin1(dst, b []byte) []byte {
	dst = append(dst, '"')
	start := 0
	for i, c := range b {
		if c < utf8.RuneSelf && jsonText.plain[c] {
			continue
		}
		dst = append(dst, b[start:i]...)
		if c < utf8.RuneSelf {
			dst = escapeJSON(dst, c)
		} else {
			dst = utf8.AppendRune(dst, rune(c))
		}
		start = i + 1
	}
	return append(append(dst, b[start:]...), '"')
}
