package query

import (
	"fmt"
	"strings"

	"sluice/schema"
)

// All is the filter of entries that pass every one of fs; nil ones pass all. It
// is nil when there is nothing to filter.
func All(fs ...*schema.Filter) *schema.Filter {
	var args []*schema.Filter
	for _, f := range fs {
		if f != nil {
			args = append(args, f)
		}
	}
	return join(schema.And, args)
}

// Status is the filter of --status: numbers, classes and ranges between commas,
// "404,5xx,400-499".
func Status(list string) (*schema.Filter, error) {
	return anyOf(list, func(s string) (*schema.Filter, error) {
		f, err := compare("status", "=", literal{text: s})
		if err != nil {
			return nil, fmt.Errorf("status %q: expected a number (404), a class (5xx) or a range (400-499)", s)
		}
		return f, nil
	})
}

// Method is the filter of --method: methods between commas, in any case.
func Method(list string) (*schema.Filter, error) {
	return anyOf(list, func(s string) (*schema.Filter, error) {
		if s == "" {
			return nil, fmt.Errorf("method %q: expected a method such as GET", list)
		}
		return &schema.Filter{Op: schema.Equal, Field: "method", Text: strings.ToUpper(s)}, nil
	})
}

// Client is the filter of --client: addresses, CIDR blocks and host names
// between commas.
func Client(list string) (*schema.Filter, error) {
	return anyOf(list, func(s string) (*schema.Filter, error) {
		f, err := address("client", s)
		if err != nil {
			return nil, fmt.Errorf("client %q: expected %w", s, err)
		}
		return f, nil
	})
}

// Path is the filter of --path: what the path starts with.
func Path(prefix string) *schema.Filter {
	return &schema.Filter{Op: schema.Prefix, Field: "path", Text: prefix}
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
