package parse

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sluice/schema"
)

// envelope is the kind of text that a logger puts around each line.
type envelope uint8

const (
	noEnvelope envelope = iota
	// syslogEnvelope is RFC 3164, with or without <PRI>, also with rsyslog's times, and RFC 5424.
	syslogEnvelope
	// criEnvelope is the time, stream and tag of Kubernetes' container runtimes.
	criEnvelope
	// dockerEnvelope is the JSON objects of Docker's json-file driver.
	dockerEnvelope
)

var envelopeNames = [...]string{"", "syslog", "cri", "docker"}

func (e envelope) String() string { return envelopeNames[e] }

// envelopeOf splits a format's text into the envelope and the rest.
func envelopeOf(text string) (envelope, string) {
	for i, name := range envelopeNames[1:] {
		if rest, ok := strings.CutPrefix(text, name+":"); ok {
			return envelope(i + 1), rest
		}
	}
	return noEnvelope, text
}

// byteOrderMark is at the start of files of some editors and of messages of some loggers.
const byteOrderMark = "\xef\xbb\xbf"

// isWrapped reports whether the line has an envelope or a byte order mark.
func (f *Format) isWrapped(line []byte) bool {
	return f.envelope != noEnvelope || len(line) > 0 && line[0] == byteOrderMark[0] && bytes.HasPrefix(line, []byte(byteOrderMark))
}

// parseWrapped is Parse for such a line.
func (f *Format) parseWrapped(line []byte, rec *schema.Record) {
	start := 0
	if bytes.HasPrefix(line, []byte(byteOrderMark)) {
		start = len(byteOrderMark)
	}
	if f.envelope == dockerEnvelope {
		f.parseDocker(line, start, rec)
		return
	}
	if f.envelope != noEnvelope {
		size, reason := f.envelope.header(line[start:])
		if reason != "" {
			f.unread(line, start, reason, rec)
			return
		}
		start += size
		if bytes.HasPrefix(line[start:], []byte(byteOrderMark)) { // as RFC 5424 has it
			start += len(byteOrderMark)
		}
	}
	f.parseBare(line[start:], rec)
	rec.Within(line, start)
}

// unread makes a record of null fields.
func (f *Format) unread(line []byte, offset int, reason string, rec *schema.Record) {
	rec.Reset(line, f.fields)
	rec.Err = schema.ParseError{Offset: offset, Directive: f.envelope.String(), Reason: reason}
}

const (
	noSyslog  = "a syslog header such as <134>Oct 11 22:14:15 host httpd[1]: is expected"
	noCRI     = "a container runtime's time, stream and tag, such as 2026-01-01T00:00:00Z stdout F, are expected"
	noDocker  = `an object of Docker's json-file driver, {"log":"…\n","stream":"stdout","time":"…"}, is expected`
	partOfOne = "the container runtime split the line: this is a part of it"
)

// header returns the length of a line's envelope, or the reason why it has none.
func (e envelope) header(line []byte) (int, string) {
	if e == criEnvelope {
		return criHeader(line)
	}
	if n := syslogHeader(line); n > 0 {
		return n, ""
	}
	return 0, noSyslog
}

// criHeader is header for the time, stream and tag of a container runtime.
func criHeader(line []byte) (int, string) {
	at := wordEnd(line, 0)
	if !isoTime(line[:max(at-1, 0)]) {
		return 0, noCRI
	}
	stream := wordEnd(line, at)
	if s := string(line[at:stream]); s != "stdout " && s != "stderr " {
		return 0, noCRI
	}
	tag := wordEnd(line, stream)
	switch s := string(line[stream:tag]); {
	case s == "F ", strings.HasPrefix(s, "F:"):
		return tag, ""
	case s == "P ", strings.HasPrefix(s, "P:"):
		return 0, partOfOne
	}
	return 0, noCRI
}

// wordEnd returns the end of the word that starts at p, with its space; len(line) without a space.
func wordEnd(line []byte, p int) int {
	if i := bytes.IndexByte(line[p:], ' '); i >= 0 {
		return p + i + 1
	}
	return len(line)
}

// isoTime reports whether b is a time of RFC 3339.
func isoTime(b []byte) bool {
	const shape = "0000-00-00T00:00:00"
	if len(b) <= len(shape) {
		return false
	}
	for i := range len(shape) {
		if shape[i] == '0' && !isDigit(b[i]) || shape[i] != '0' && b[i] != shape[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// syslogHeader returns the length of a syslog header, 0 if there is none.
func syslogHeader(line []byte) int {
	p := 0
	if len(line) > 0 && line[0] == '<' {
		i := bytes.IndexByte(line[:min(len(line), 5)], '>')
		if i < 2 {
			return 0
		}
		for _, c := range line[1:i] {
			if !isDigit(c) {
				return 0
			}
		}
		p = i + 1
		if bytes.HasPrefix(line[p:], []byte("1 ")) {
			return syslog5424Header(line, p+2)
		}
	}
	switch end := wordEnd(line, p); {
	case isoTime(line[p:max(end-1, p)]): // rsyslog's own format
		p = end
	case bsdTime(line[p:]):
		p += len("Oct 11 22:14:15 ")
	default:
		return 0
	}
	p = wordEnd(line, p) // host
	tag := wordEnd(line, p)
	if tag < p+3 || line[tag-1] != ' ' || line[tag-2] != ':' {
		return 0
	}
	return tag
}

// bsdTime reports whether b starts with a time of RFC 3164 and a space.
func bsdTime(b []byte) bool {
	const shape = "Oct 11 22:14:15 "
	if len(b) < len(shape) {
		return false
	}
	for i, c := range []byte(shape) {
		switch {
		case i < 3:
			if c := b[i] | 0x20; c < 'a' || c > 'z' {
				return false
			}
		case i == 4:
			if b[i] != ' ' && !isDigit(b[i]) {
				return false
			}
		case isDigit(c) != isDigit(b[i]) || !isDigit(c) && c != b[i]:
			return false
		}
	}
	return true
}

// syslog5424Header returns the start of the message after time, host, application, process, message
// id and structured data, 0 if they are missing.
func syslog5424Header(line []byte, p int) int {
	end := wordEnd(line, p)
	if s := line[p:max(end-1, p)]; !isoTime(s) && string(s) != "-" {
		return 0
	}
	for range 5 {
		p = wordEnd(line, p)
	}
	if p == len(line) {
		return 0
	}
	if bytes.HasPrefix(line[p:], []byte("- ")) {
		return p + 2
	}
	if line[p] != '[' {
		return 0
	}
	quoted := false
	for i := p + 1; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c == ']':
			if bytes.HasPrefix(line[i:], []byte("] ")) {
				return i + 2
			}
			if !bytes.HasPrefix(line[i:], []byte("][")) {
				return 0
			}
			i++
		case !quoted && c == '[':
			return 0
		}
	}
	return 0
}

const dockerBegins = `{"log":"`

// parseDocker parses the line in an object of Docker's json-file driver. The fields are in a buffer
// of the record, as the line is escaped in the object.
func (f *Format) parseDocker(line []byte, start int, rec *schema.Record) {
	inner, reason := dockerLine(rec.Spare()[:0], line[start:])
	rec.SetSpare(inner)
	if reason != "" {
		f.unread(line, start, reason, rec)
		return
	}
	f.parseBare(inner, rec)
	offset := rec.Err.Offset
	rec.Outside(line)
	if rec.Err.Set() {
		rec.Err.Offset = start + len(dockerBegins) + escapedBytes(line[start+len(dockerBegins):], offset)
	}
}

// dockerLine appends the text of an object's log to dst, without its newline.
func dockerLine(dst, line []byte) ([]byte, string) {
	if !bytes.HasPrefix(line, []byte(dockerBegins)) {
		return dst, noDocker
	}
	p := len(dockerBegins)
	for p < len(line) && line[p] != '"' {
		var size int
		if dst, size = appendUnescaped(dst, line[p:]); size == 0 {
			return dst, noDocker
		}
		p += size
	}
	if rest := trimCR(line[min(p+1, len(line)):]); len(rest) == 0 || rest[len(rest)-1] != '}' || rest[0] != ',' && rest[0] != '}' {
		return dst, noDocker
	}
	if n := len(dst); n == 0 || dst[n-1] != '\n' {
		return dst, partOfOne
	}
	return dst[:len(dst)-1], ""
}

// appendUnescaped appends the first character of the JSON string, unescaped, and returns its length
// in s; 0 if it is invalid.
func appendUnescaped(dst, s []byte) ([]byte, int) {
	if s[0] != '\\' {
		i := bytes.IndexAny(s, `\"`)
		if i < 0 {
			i = len(s)
		}
		return append(dst, s[:i]...), i
	}
	if len(s) < 2 {
		return dst, 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
		return append(dst, "\"\\/\b\f\n\r\t"[i]), 2
	}
	r, ok := hexRune(s)
	if !ok {
		return dst, 0
	}
	if utf16.IsSurrogate(r) {
		if low, ok := hexRune(s[6:]); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return utf8.AppendRune(dst, both), 12
			}
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(dst, r), 6
}

// hexRune reads \uXXXX.
func hexRune(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return rune(n), err == nil
}

// escapedBytes is the number of bytes of a JSON string for its first n unescaped bytes.
func escapedBytes(s []byte, n int) int {
	var one [utf8.UTFMax]byte
	p := 0
	for n > 0 && p < len(s) {
		if s[p] != '\\' {
			n, p = n-1, p+1
			continue
		}
		b, size := appendUnescaped(one[:0], s[p:])
		if size == 0 {
			break
		}
		n, p = n-len(b), p+size
	}
	return p
}
