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
	r.set(s.field, p, end)
	q := &s.request
	line := r.line
	i := p
	for i < end && tokenByte[line[i]] {
		i++
	}
	if i == p || i < end && line[i] != ' ' || end-p == 1 && line[p] == '-' {
		for _, field := range [...]int{q.method, q.path, q.query, q.protocol} {
			if field >= 0 {
				r.rec.Values[field].State = schema.Null
			}
		}
		return
	}
	part := func(field, from, to int) {
		if field < 0 {
			return
		}
		if from >= to || from < 0 {
			r.rec.Values[field].State = schema.Null
			return
		}
		if to-from == 1 && line[from] == '-' { // "GET - HTTP/1.1": a dash that was sent
			r.rec.Values[field] = schema.Value{Start: uint32(from), End: uint32(to), State: schema.InLine}
			return
		}
		r.set(field, from, to)
	}
	part(q.method, p, i)
	pathEnd := protocolStart(line, i, end)
	part(q.protocol, pathEnd+1, end)
	part(q.path, i+1, pathEnd)
	if q.query >= 0 {
		query := -1
		if i < pathEnd {
			query = bytes.IndexByte(line[i:pathEnd], '?')
		}
		switch {
		case query < 0:
			r.rec.Values[q.query].State = schema.Null
		case i+query+1 == pathEnd: // "/?": a query that is empty
			r.rec.Values[q.query] = schema.Value{Start: uint32(pathEnd), End: uint32(pathEnd), State: schema.InLine}
		default:
			part(q.query, i+query+1, pathEnd)
		}
	}
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
