package query

import (
	"fmt"
	"strings"

	"sluice/schema"
)

// All returns the conjunction of the filters; nil filters match all. It is nil if all are nil.
func All(fs ...*schema.Filter) *schema.Filter {
	var args []*schema.Filter
	for _, f := range fs {
		if f != nil {
			args = append(args, f)
		}
	}
	return join(schema.And, args)
}

// Status parses --status: numbers, classes and ranges separated by commas, "404,5xx,400-499".
func Status(list string) (*schema.Filter, error) {
	return anyOf(list, func(s string) (*schema.Filter, error) {
		low, high, ok := numberRange(s)
		if !ok || low < 100 || high > 999 { // 4x is 40 to 49, and no status
			return nil, fmt.Errorf("status %q: expected a number (404), a class (5xx) or a range (400-499)", s)
		}
		return compare("status", "=", literal{text: s})
	})
}

// Method parses --method: methods separated by commas, in any case.
func Method(list string) (*schema.Filter, error) {
	return anyOf(list, func(s string) (*schema.Filter, error) {
		if s == "" || strings.Trim(s, methodLetters) != "" {
			return nil, fmt.Errorf("method %q: expected a method such as GET, or several with commas: GET,POST", list)
		}
		return &schema.Filter{Op: schema.EqualFold, Field: "method", Text: s}, nil
	})
}

// Client parses --client: addresses, blocks, ranges and host names separated by commas.
func Client(list string) (*schema.Filter, error) {
	return anyOf(list, func(s string) (*schema.Filter, error) {
		f, err := address("client", s)
		if err != nil {
			return nil, fmt.Errorf("client %q: expected %w", s, err)
		}
		return f, nil
	})
}

// methodLetters are those of the methods that there are.
const methodLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// Path parses --path, a prefix of the path. A path is / and more, *, or for a proxy: a URL, or a
// host with its port.
func Path(prefix string) (*schema.Filter, error) {
	hint := ""
	switch {
	case strings.ContainsRune(prefix, '?'):
		hint = `leave out the ? and what follows it; the query is a field of its own: --where 'query contains "..."'`
	case len(prefix) > 1 && strings.HasSuffix(prefix, "*"):
		hint = "leave out the *; all paths that start so are found"
	case !strings.HasPrefix(prefix, "/") && !strings.Contains(prefix, ":") && prefix != "*":
		hint = `a path starts with /; for a part of it: --where 'path contains "..."'`
	}
	if hint != "" {
		return nil, fmt.Errorf("path %q: expected what a path starts with (/api): %s", prefix, hint)
	}
	return &schema.Filter{Op: schema.Prefix, Field: "path", Text: prefix}, nil
}

func anyOf(list string, one func(string) (*schema.Filter, error)) (*schema.Filter, error) {
	var args []*schema.Filter
	for s := range strings.SplitSeq(list, ",") {
		f, err := one(strings.TrimSpace(s))
		if err != nil {
			return nil, err
		}
		args = append(args, f)
	}
	return join(schema.Or, args), nil
}
