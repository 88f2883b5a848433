package parse

import (
	"bytes"

	"sluice/schema"
)

// setRequest stores the request line [p, end) and its parts. A method is a
// token (RFC 9110) up to the first space, a protocol starts with HTTP/ behind
// the last one, the path is what stands between them, spaces and query
// included. A request line that does not start with a method has no parts: what
// a TLS client sent to a plain port is a request, not a path.
func (r *reader) setRequest(s *step, p, end int) {
	q := &s.request
	line := r.line
	if r.escaped || end-p == 1 {
		r.set(s.field, p, end)
	} else {
		v := &r.rec.Values[s.field]
		v.Start, v.End, v.State = uint32(p), uint32(end), schema.InLine
	}
	i := methodEnd(line, p, end)
	if i == p || i < end && line[i] != ' ' || end-p == 1 && line[p] == '-' {
		return
	}
	r.setPart(q.method, p, i)
	pathEnd := protocolStart(line, i, end)
	r.setPart(q.protocol, pathEnd+1, end)
	r.setPart(q.path, i+1, pathEnd)
	if q.query < 0 || i >= pathEnd {
		return
	}
	query := bytes.IndexByte(line[i:pathEnd], '?')
	if query < 0 {
		return
	}
	from := i + query + 1
	if r.setPart(q.query, from, pathEnd); from == pathEnd { // "/?": a query that is empty
		r.rec.Values[q.query] = schema.Value{Start: uint32(from), End: uint32(from), State: schema.InLine}
	}
}

// setPart stores a part of a request line. A dash there is one that was sent.
func (r *reader) setPart(field, from, to int) {
	if field < 0 || from >= to {
		return
	}
	if r.escaped && !(to-from == 1 && r.line[from] == '-') {
		r.set(field, from, to)
		return
	}
	v := &r.rec.Values[field]
	v.Start, v.End, v.State = uint32(from), uint32(to), schema.InLine
}

// methodEnd returns the end of the token at p.
func methodEnd(line []byte, p, end int) int {
	if end-p >= 4 && string(line[p:p+4]) == "GET " {
		return p + 3
	}
	for p < end && tokenByte[line[p]] {
		p++
	}
	return p
}

// protocolStart returns the space before HTTP/…, or end where there is none.
func protocolStart(line []byte, from, end int) int {
	if q := end - len(" HTTP/1.1"); q >= from && line[q] == ' ' && string(line[q+1:q+6]) == "HTTP/" {
		return q
	}
	if q := bytes.LastIndexByte(line[from:end], ' '); q >= 0 && bytes.HasPrefix(line[from+q+1:end], []byte("HTTP/")) {
		return from + q
	}
	return end
}

// tokenByte marks the bytes of a token, RFC 9110 section 5.6.2.
var tokenByte = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()
