package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"
)

// errAvro marks a schema that Avro cannot express.
var errAvro = errors.New("schema: avro")

var avroName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)

// AvroFields returns the fields of the Avro record of a format: the host, the format's fields
// without the derived ones, parse_error and logbody.
func AvroFields(fields []Field) []Field {
	columns := []Field{{Name: HostField}}
	for _, f := range fields {
		if !f.Derived {
			columns = append(columns, f)
		}
	}
	return append(columns, Field{Name: ParseErrorField}, Field{Name: LogbodyField})
}

// AvroSchema returns the Avro schema of a record with these fields and this name (with a namespace
// and a dot before it, if any), in one line of JSON. The host is a string and logbody bytes, never
// null; all others are a union of null and string, long, or timestamp-micros. The error wraps
// errAvro.
func AvroSchema(name string, fields []Field) (string, error) {
	if !avroName.MatchString(name) {
		return "", fmt.Errorf("%w: %q is not the name of a record: use letters, digits, _ and dots", errAvro, name)
	}
	type field struct {
		Name    string           `json:"name"`
		Type    any              `json:"type"`
		Default *json.RawMessage `json:"default,omitempty"`
	}
	record := struct {
		Type   string  `json:"type"`
		Name   string  `json:"name"`
		Fields []field `json:"fields"`
	}{"record", name, []field{}}
	null := json.RawMessage("null")
	seen := make(map[string]bool)
	for _, f := range fields {
		avro := AvroName(f.Name)
		if seen[avro] {
			return "", fmt.Errorf("%w: two fields called %s", errAvro, avro)
		}
		seen[avro] = true
		out := field{Name: avro}
		switch {
		case f.Name == HostField:
			out.Type = "string"
		case f.Name == LogbodyField:
			out.Type = "bytes"
		default:
			out.Type, out.Default = []any{"null", avroType(f.Kind)}, &null
		}
		record.Fields = append(record.Fields, out)
	}
	b, err := json.Marshal(record)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAvro, err)
	}
	return string(b), nil
}

func avroType(k Kind) any {
	switch k {
	case Int:
		return "long"
	case Time:
		return struct {
			Type        string `json:"type"`
			LogicalType string `json:"logicalType"`
		}{"long", "timestamp-micros"}
	}
	return "string"
}

// AvroName makes a name valid in Avro: characters other than letters, digits and _ become _, and a
// digit at the start gets a prefix. Names of LogFormat fields are not changed.
func AvroName(field string) string {
	b := []byte(field)
	for i, c := range b {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			b[i] = '_'
		}
	}
	if len(b) == 0 || '0' <= b[0] && b[0] <= '9' {
		b = append([]byte{'_'}, b...)
	}
	return string(b)
}

// AvroMicros converts a time to timestamp-micros: microseconds since 1970, rounded down.
func AvroMicros(nanos int64) int64 {
	micros := nanos / 1000
	if nanos%1000 < 0 {
		micros--
	}
	return micros
}

// AvroEncoder encodes entries as Avro binary records with the schema that AvroSchema returns for
// the same fields. It is not safe for concurrent use.
type AvroEncoder struct {
	fields       []Field
	columns      *Columns
	buf, escaped []byte
}

// NewAvroEncoder returns an encoder of these fields; a field that a format lacks is null.
func NewAvroEncoder(fields []Field) *AvroEncoder {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return &AvroEncoder{fields: fields, columns: NewColumns(names)}
}

// Append appends the entry's record. Avro's strings are UTF-8: a byte that is not part of a valid
// character becomes \xhh, as in Apache's logs. logbody is bytes, and is not changed.
func (a *AvroEncoder) Append(dst []byte, e *Entry) []byte {
	places := a.columns.Of(e.Record)
	for i, f := range a.fields {
		p := places[i]
		number := f.Kind == Int || f.Kind == Time
		switch {
		case f.Name == LogbodyField:
			dst = appendAvroBytes(dst, e.Record.Line)
		case f.Name == HostField:
			dst = a.appendString(dst, e.Text(p, &a.buf))
		case e.Null(p) || number && p.Kind != f.Kind:
			dst = append(dst, 0) // the first branch of the union
		case f.Kind == Int:
			dst = appendAvroLong(append(dst, 2), e.Num(p))
		case f.Kind == Time:
			dst = appendAvroLong(append(dst, 2), AvroMicros(e.Num(p)))
		default:
			dst = a.appendString(append(dst, 2), e.Text(p, &a.buf))
		}
	}
	return dst
}

func (a *AvroEncoder) appendString(dst, text []byte) []byte {
	if !utf8.Valid(text) {
		a.escaped = AppendUTF8(a.escaped[:0], text)
		text = a.escaped
	}
	return appendAvroBytes(dst, text)
}

// AppendUTF8 appends text with the bytes that are not UTF-8 as \xhh, as in Apache's logs, for
// formats whose strings are UTF-8.
func AppendUTF8(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, '\\', 'x', digits[text[0]>>4], digits[text[0]&15])
		} else {
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}

func appendAvroBytes(dst, b []byte) []byte {
	return append(appendAvroLong(dst, int64(len(b))), b...)
}

// appendAvroLong appends a number as zigzag, seven bits a byte, the lowest first.
func appendAvroLong(dst []byte, n int64) []byte {
	u := uint64(n)<<1 ^ uint64(n>>63)
	for ; u >= 0x80; u >>= 7 {
		dst = append(dst, byte(u)|0x80)
	}
	return append(dst, byte(u))
}
