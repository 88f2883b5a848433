package query

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/schema"
)

// kinds are the types of the fields of LogFormats. For other fields (headers, patterns) the form of
// the value decides.
var kinds = map[string]schema.Kind{
	"client": schema.Addr, "client_ip": schema.Addr, "local_ip": schema.Addr, "peer": schema.Addr, "peer_ip": schema.Addr,
	"time": schema.Time, "end_time": schema.Time,
	"bytes": schema.Int, "bytes_in": schema.Int, "bytes_out": schema.Int, "bytes_total": schema.Int,
	"client_port": schema.Int, "duration_ms": schema.Int, "duration_s": schema.Int, "duration_us": schema.Int,
	"first_byte_us": schema.Int, "first_upload_us": schema.Int, "keepalive": schema.Int, "local_port": schema.Int,
	"offset": schema.Int, "original_status": schema.Int, "pid": schema.Int, "port": schema.Int, "status": schema.Int, "tid": schema.Int,
	"agent": schema.Text, "file": schema.Text, "host": schema.Text, "ident": schema.Text, "logbody": schema.Text,
	"method": schema.Text, "parse_error": schema.Text, "path": schema.Text, "protocol": schema.Text, "query": schema.Text,
	"referer": schema.Text, "request": schema.Text, "status_class": schema.Text, "stream": schema.Text, "url_path": schema.Text, "user": schema.Text, "vhost": schema.Text,
}

// literal is a value as written, with the parameters for parsing a time.
type literal struct {
	text   string
	quoted bool
	now    time.Time
	zone   *time.Location
}

// compare makes the filter of "field op value". The error has what is expected as the value.
func compare(field, op string, v literal) (*schema.Filter, error) {
	kind, known := kinds[field]
	if !known && !v.quoted {
		if _, _, ok := numberRange(v.text); ok {
			kind = schema.Int
		}
	}
	equal := op == "=" || op == "==" || op == "!="
	var f *schema.Filter
	switch kind {
	case schema.Int:
		low, high, ok := numberRange(v.text)
		if !ok || !equal && low != high {
			return nil, fmt.Errorf("a number for %s%s", field, map[bool]string{true: " (404), a class (5xx) or a range (400-499)"}[equal])
		}
		if low != high {
			f = between(field, low, high)
			break
		}
		f = order(field, op, schema.Filter{Kind: schema.Int, Num: low})
	case schema.Time:
		nanos, err := ParseTime(v.text, v.now, v.zone)
		if err != nil {
			return nil, errors.New("a time for " + field + " (" + timeForms + ")")
		}
		f = order(field, op, schema.Filter{Kind: schema.Time, Num: nanos})
	case schema.Addr:
		if !equal {
			return nil, fmt.Errorf("another comparison: addresses have no order (%s in 10.0.0.0/8)", field)
		}
		var err error
		if f, err = address(field, v.text); err != nil {
			return nil, err
		}
	default:
		f = order(field, op, schema.Filter{Text: v.text})
	}
	if op == "!=" {
		f = unless(f)
	}
	return f, nil
}

// order makes the filter of a comparison from one with the value; the caller negates it for "!=".
func order(field, op string, f schema.Filter) *schema.Filter {
	f.Field = field
	switch op {
	case "<":
		f.Op = schema.Less
	case "<=":
		f.Op = schema.LessEqual
	case ">":
		f.Op = schema.LessEqual
		return unless(&f)
	case ">=":
		f.Op = schema.Less
		return unless(&f)
	default:
		f.Op = schema.Equal
	}
	return &f
}

// between is low <= field <= high.
func between(field string, low, high int64) *schema.Filter {
	return join(schema.And, []*schema.Filter{
		not(&schema.Filter{Op: schema.Less, Field: field, Kind: schema.Int, Num: low}),
		{Op: schema.LessEqual, Field: field, Kind: schema.Int, Num: high},
	})
}

// numberRange parses "404", "-1", "5xx" (any number of digits and x's) and "400-499".
func numberRange(s string) (low, high int64, ok bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, n, true
	}
	if digits := strings.TrimRight(s, "xX"); digits != s && digits != "" && isDigits(digits) && len(s) <= 18 {
		low, err1 := strconv.ParseInt(digits+strings.Repeat("0", len(s)-len(digits)), 10, 64)
		high, err2 := strconv.ParseInt(digits+strings.Repeat("9", len(s)-len(digits)), 10, 64)
		return low, high, err1 == nil && err2 == nil
	}
	from, to, _ := strings.Cut(s, "-")
	if !isDigits(from) || !isDigits(to) {
		return 0, 0, false
	}
	low, err1 := strconv.ParseInt(from, 10, 64)
	high, err2 := strconv.ParseInt(to, 10, 64)
	return low, high, err1 == nil && err2 == nil && low <= high
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func not(f *schema.Filter) *schema.Filter {
	return &schema.Filter{Op: schema.Not, Args: []*schema.Filter{f}}
}

// unless returns not f, which is also false if the field of f is null. f has one field.
func unless(f *schema.Filter) *schema.Filter {
	null := &schema.Filter{Op: schema.IsNull, Field: fieldOf(f)}
	return not(&schema.Filter{Op: schema.Or, Args: []*schema.Filter{null, f}})
}

func fieldOf(f *schema.Filter) string {
	for len(f.Args) > 0 {
		f = f.Args[0]
	}
	return f.Field
}

// join is f op f op …; one is itself, none is nil.
func join(op schema.Op, args []*schema.Filter) *schema.Filter {
	switch len(args) {
	case 0:
		return nil
	case 1:
		return args[0]
	}
	return &schema.Filter{Op: op, Args: args}
}
