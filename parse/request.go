package parse

import (
	"bytes"

	"sluice/schema"
)

// setRequest stores the request line [p, end) and its parts. The method is a token (RFC 9110) up to
// the first space, the protocol starts with HTTP/ after the last space, the path is the text
// between them, with spaces and query. A request line without a method has no parts: what a TLS
// client sent to a plain port is a request, but has no path.
func (r *reader) setRequest(s *step, p, end int) {
	r.splitRequest(s, p, end)
	if r.escaped {
		for _, field := range [...]int{s.field, s.request.method, s.request.path, s.request.query, s.request.protocol} {
			r.undo(field)
		}
	}
}

func (r *reader) splitRequest(s *step, p, end int) {
	line, q := r.line, &s.request
	if end-p == 1 && line[p] == '-' {
		r.rec.Values[s.field].State = schema.Null
		return
	}
	r.setPart(s.field, p, end)
	if p == end {
		r.setEmpty(s.field, p)
	}
	i := methodEnd(line, p, end)
	if i == p || i < end && line[i] != ' ' {
		return
	}
	pathEnd := protocolStart(line, i, end)
	r.setPart(q.method, p, i)
	r.setPart(q.path, i+1, pathEnd)
	r.setPart(q.protocol, pathEnd+1, end)
	if q.query < 0 || i >= pathEnd {
		return
	}
	if !r.escaped {
		v := &r.rec.Values[q.query]
		v.Start, v.End, v.State = uint32(i+1), uint32(pathEnd), schema.InQuery
		return
	}
	n := bytes.IndexByte(line[i:pathEnd], '?')
	if n < 0 {
		return
	}
	query := i + n + 1
	if r.setPart(q.query, query, pathEnd); query == pathEnd { // "/?"
		r.setEmpty(q.query, query)
	}
}

// setPart stores a part of a request line, if the format has a field for it. A dash there was sent,
// and is not null.
func (r *reader) setPart(field, from, to int) {
	if field >= 0 && from < to {
		v := &r.rec.Values[field]
		v.Start, v.End, v.State = uint32(from), uint32(to), schema.InLine
	}
}

func (r *reader) setEmpty(field, p int) {
	v := &r.rec.Values[field]
	v.Start, v.End, v.State = uint32(p), uint32(p), schema.InLine
}

// undo unescapes a field that is a span of the line.
func (r *reader) undo(field int) {
	if field < 0 {
		return
	}
	v := &r.rec.Values[field]
	if from, to := int(v.Start), int(v.End); v.State == schema.InLine && bytes.IndexByte(r.line[from:to], '\\') >= 0 {
		r.unescape(v, from, to)
	}
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

// protocolStart returns the position of the space before HTTP/…, or end if there is none.
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
