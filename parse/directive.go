package parse

import (
	"errors"
	"fmt"
	"strings"

	"sluice/schema"
)

// ErrFormat marks a LogFormat that cannot be compiled.
var ErrFormat = errors.New("not a LogFormat")

// directive is one %… of a LogFormat, as mod_log_config reads it.
type directive struct {
	text  string // as written
	name  string // letter, or ^FB ^FU ^ti ^to
	arg   string // the text in braces
	final bool   // '>': of the final request, after internal redirects
	orig  bool   // '<': of the original request
	cond  bool   // %400,501…: "-" for other statuses
}

// readDirective reads the directive at s[0] == '%' and returns what follows it.
func readDirective(s string) (directive, string, error) {
	var d directive
	i := 1
	for i < len(s) {
		switch c := s[i]; {
		case c == '!' || c == ',' || '0' <= c && c <= '9':
			d.cond = d.cond || c != ','
			i++
		case c == '<':
			d.orig, d.final = true, false
			i++
		case c == '>':
			d.final, d.orig = true, false
			i++
		case c == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return d, "", fmt.Errorf("%w: %q has no closing brace", ErrFormat, s)
			}
			d.arg = s[i+1 : i+end]
			i += end + 1
		case c == '^' && i+3 <= len(s):
			d.name, d.text = s[i:i+3], s[:i+3]
			return d, s[i+3:], nil
		default:
			d.name, d.text = s[i:i+1], s[:i+1]
			return d, s[i+1:], nil
		}
	}
	return d, "", fmt.Errorf("%w: %q ends within a directive: write %%%% for a percent sign", ErrFormat, s)
}

type spec struct {
	field string // field name; a trailing _ takes the argument after it
	kind  schema.Kind
	op    op
}

// specs are the fields of the directives without an argument, or with one that does not affect the
// name. docs/formats.md is checked against it.
var specs = map[string]spec{
	"a": {"client_ip", schema.Addr, opText}, "A": {"local_ip", schema.Addr, opText},
	"B": {"bytes", schema.Int, opInt}, "b": {"bytes", schema.Int, opInt},
	"C": {"cookie_", schema.Text, opText}, "D": {"duration_us", schema.Int, opInt},
	"e": {"env_", schema.Text, opText}, "f": {"filename", schema.Text, opText},
	"F": {"flushed", schema.Text, opByte}, "h": {"client", schema.Addr, opText},
	"H": {"protocol", schema.Text, opText}, "i": {"header_", schema.Text, opText},
	"I": {"bytes_in", schema.Int, opInt}, "k": {"keepalive", schema.Int, opInt},
	"l": {"ident", schema.Text, opText}, "L": {"log_id", schema.Text, opText},
	"m": {"method", schema.Text, opText}, "n": {"note_", schema.Text, opText},
	"o": {"response_", schema.Text, opText}, "O": {"bytes_out", schema.Int, opInt},
	"p": {"port", schema.Int, opInt}, "P": {"pid", schema.Int, opInt},
	"q": {"query", schema.Text, opQuery}, "r": {"request", schema.Text, opRequest},
	"R": {"handler", schema.Text, opText}, "s": {"status", schema.Int, opInt},
	"S": {"bytes_total", schema.Int, opInt}, "t": {"time", schema.Time, opTime},
	"T": {"duration_s", schema.Int, opInt}, "u": {"user", schema.Text, opText},
	"U": {"path", schema.Text, opText}, "v": {"vhost", schema.Text, opText},
	"V": {"server_name", schema.Text, opText}, "X": {"connection", schema.Text, opByte},
	"^ti": {"trailer_", schema.Text, opText}, "^to": {"response_trailer_", schema.Text, opText},
	"^FB": {"first_byte_us", schema.Int, opInt}, "^FU": {"first_upload_us", schema.Int, opInt},
	"x": {"ssl_", schema.Text, opText}, "c": {"ssl_", schema.Text, opText},
}

// argSpecs are the directives whose argument changes the field or its type, with the argument in
// lower case.
var argSpecs = map[string]spec{
	"a{c}": {"peer_ip", schema.Addr, opText}, "h{c}": {"peer", schema.Addr, opText},
	"L{c}":         {"connection_log_id", schema.Text, opText},
	"p{canonical}": {"port", schema.Int, opInt}, "p{local}": {"local_port", schema.Int, opInt},
	"p{remote}": {"client_port", schema.Int, opInt}, "P{pid}": {"pid", schema.Int, opInt},
	"P{tid}": {"tid", schema.Int, opInt}, "P{hextid}": {"tid_hex", schema.Text, opText},
	"T{s}": {"duration_s", schema.Int, opInt}, "T{ms}": {"duration_ms", schema.Int, opInt},
	"T{us}":      {"duration_us", schema.Int, opInt},
	"i{referer}": {"referer", schema.Text, opText}, "i{user-agent}": {"agent", schema.Text, opText},
}

// spec returns the directive's field name, type and kind of value.
func (d directive) spec() (spec, error) {
	if s, ok := argSpecs[d.name+"{"+strings.ToLower(d.arg)+"}"]; ok {
		return s, nil
	}
	s, ok := specs[d.name]
	if !ok {
		return s, fmt.Errorf("%w: no directive %%%s in mod_log_config, mod_logio or mod_ssl", ErrFormat, d.name)
	}
	if strings.HasSuffix(s.field, "_") {
		if d.arg == "" {
			return s, fmt.Errorf("%w: %s needs a name in braces: %%{NAME}%s", ErrFormat, d.text, d.name)
		}
		s.field += fieldName(d)
	} else if d.arg != "" && strings.Contains("pPT", d.name) {
		return s, fmt.Errorf("%w: %s: httpd knows no %q here", ErrFormat, d.text, d.arg)
	}
	return s, nil
}

// fieldName converts an argument to a valid qualifier, flag and Avro name: lower case letters,
// digits and underscores.
func fieldName(d directive) string {
	arg := strings.ToLower(d.arg)
	if d.name == "x" {
		arg = strings.TrimPrefix(arg, "ssl_")
	}
	b := []byte(arg)
	for i, c := range b {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			b[i] = '_'
		}
	}
	return string(b)
}
