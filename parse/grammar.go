package parse

import "bytes"

// The grammar of values, independent of their context. Nothing here stores values.

const (
	ambiguous = "the line can be read in more than one way"
	endless   = "nothing separates it from the next value"
)

// expected describes the value of s, for an error.
func expected(s *step) string {
	switch s.op {
	case opAddr:
		return "an address or a host name is expected"
	case opInt:
		return "a number or - is expected"
	case opTime:
		if s.clock.clf {
			return "a time like [17/May/2015:10:05:03 +0000] is expected"
		}
		return "the time differs from its format"
	case opQuoted:
		return "no closing quote"
	case opRequest:
		return "no end of the request line"
	case opQuery:
		return "a query starts with ?"
	case opByte:
		return "one character is expected"
	}
	if s.vhost {
		return "a server name is expected"
	}
	if s.word {
		return "one word is expected"
	}
	return "a text without blanks around it is expected"
}

// fits reports whether [p, q) can be the value of s.
func (r *reader) fits(s *step, p, q int) bool {
	if p > q || q > len(r.line) {
		return false
	}
	v := r.line[p:q]
	r.g.looks += len(v)
	switch s.op {
	case opInt:
		return validInt(v)
	case opAddr:
		return validAddr(v)
	case opByte:
		return len(v) == 1
	case opTime:
		return r.timeEnd(s, p, r.line[:q]) == q
	}
	if s.op == opQuery && !(len(v) == 0 || v[0] == '?' || string(v) == "-") {
		return false
	}
	if r.isQuoted(s) {
		return r.fitsQuoted(s, p, q)
	}
	return r.fitsText(s, p, q) && (r.g.surplus || !surplus(s, v)) && !r.torn(p, q)
}

// isQuoted reports whether the value of s ends at a quote.
func (r *reader) isQuoted(s *step) bool { return s.quoted || s.op == opQuoted }

// validInt reports whether v is a number of at most 18 digits, or "-".
func validInt(v []byte) bool {
	if string(v) == "-" {
		return true
	}
	v = bytes.TrimPrefix(v, []byte("-"))
	for _, c := range v {
		if c-'0' > 9 {
			return false
		}
	}
	return len(v) > 0 && len(v) <= 18
}

// timeEnd returns the end of the time that starts at p in line, -1 for none.
func (r *reader) timeEnd(s *step, p int, line []byte) int {
	if s.nullable && p < len(line) && line[p] == '-' {
		return p + 1
	}
	if s.clock.clf {
		if isTime(line, p) {
			return p + clfBytes
		}
		return -1
	}
	var c clock
	next, reason := c.read(s.clock.parts, line, p)
	if reason != "" {
		return -1
	}
	return next
}

// isTime reports whether a complete time in brackets starts at p.
func isTime(line []byte, p int) bool {
	if p < 0 || len(line)-p < clfBytes {
		return false
	}
	_, _, ok := parseCLF((*[clfBytes]byte)(line[p:]))
	return ok
}

// fitsText reports whether [p, q) can be a text without quotes. Apache escapes control bytes. A
// blank at an end would belong to the format or to another value.
func (r *reader) fitsText(s *step, p, q int) bool {
	v := r.line[p:q]
	if len(v) == 0 {
		return !s.word && !s.user
	}
	least := byte(' ')
	if s.word {
		least++
	} else if v[0] == ' ' || v[len(v)-1] == ' ' {
		return false
	}
	for _, c := range v {
		if c < least || c == 0x7f || c == '"' && s.word {
			return false
		}
	}
	switch {
	case r.cutsTime(p, q):
		return false
	case s.ident:
		return !validIP(v)
	case s.vhost:
		return isServerName(v)
	}
	return !s.list || !unfinishedList(v)
}

// isServerName reports whether v can be a server's name without its port. A list of addresses, a
// path, or text in brackets from a container runtime is not one.
func isServerName(v []byte) bool {
	if inner, ok := bytes.CutPrefix(v, []byte("[")); ok {
		inner, ok = bytes.CutSuffix(inner, []byte("]"))
		return ok && validIPv6(inner)
	}
	return bytes.IndexByte(v, ':') < 0 && !bytes.ContainsAny(v, ",/]") || validIPv6(v)
}

// cutsTime reports whether a complete time in brackets starts in [p, q) and ends after it.
func (r *reader) cutsTime(p, q int) bool {
	from := max(p, q-clfBytes+1)
	i := bytes.LastIndexByte(r.line[from:q], '[')
	return i >= 0 && isTime(r.line, from+i)
}

// unfinishedList reports whether v is the start of a list like that of X-Forwarded-For: words that
// are all followed by a comma, also the last.
func unfinishedList(v []byte) bool {
	if v[len(v)-1] != ',' {
		return false
	}
	for i := 1; i < len(v); i++ {
		if v[i] == ' ' && v[i-1] != ',' {
			return false
		}
	}
	return true
}

// surplus reports whether a text that should be one value looks like several: a separate dash is
// the null of another field.
func surplus(s *step, v []byte) bool {
	return bytes.HasPrefix(v, []byte("- ")) || bytes.HasSuffix(v, []byte(" -")) || s.user && bytes.Contains(v, []byte(" - "))
}

// shared reports whether the text [p, q) has a byte that could end another text before it.
func (r *reader) shared(s *step, p, q int) bool {
	for i := range len(s.rivals) {
		if bytes.IndexByte(r.line[p:q], s.rivals[i]) >= 0 {
			return true
		}
	}
	return false
}

// fitsQuoted reports whether [p, q) can be a value in quotes. Writers other than Apache do not
// escape quotes in a value; such quotes are accepted only if no other reading is possible.
func (r *reader) fitsQuoted(s *step, p, q int) bool {
	inner := r.quoteFrom(p, p)
	if inner < 0 || inner >= q {
		return s.op != opText || r.fitsText(s, p, q)
	}
	if r.timeIn(p, q) || s.op == opRequest && !r.isRequest(p, q) || s.op == opText && !r.fitsText(s, p, q) {
		return false
	}
	for s.op == opRequest && inner >= 0 && inner < q {
		if r.isProtocol(p, inner) {
			return false
		}
		inner = r.quoteFrom(p, inner+1)
	}
	return true
}

// isRequest reports whether [p, q) has a method and a protocol.
func (r *reader) isRequest(p, q int) bool {
	i := methodEnd(r.line, p, q)
	return i > p && i < q && r.line[i] == ' ' && r.isProtocol(p, q)
}

// isProtocol reports whether [p, q) ends with a protocol, as a request line does.
func (r *reader) isProtocol(p, q int) bool {
	const like = " HTTP/1.1"
	i := q - len(like)
	if i < p || string(r.line[i:i+6]) != like[:6] {
		i += 2 // HTTP/2
	}
	return i >= p && string(r.line[i:i+6]) == like[:6] && r.line[i+6]-'0' <= 9
}
