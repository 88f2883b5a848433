package query

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"sluice/schema"
)

// ErrFilter marks a filter that cannot be applied.
var ErrFilter = errors.New("where")

// Matcher applies a filter to entries. It is not safe for concurrent use: create one for each
// goroutine.
type Matcher struct {
	root    *node // nil matches all
	names   []string
	columns *schema.Columns
	places  []schema.Place
	buf     []byte
}

// node is a filter with a prepared text and the column of its field.
type node struct {
	op     schema.Op
	args   []node
	column int
	number bool // compare num, not text
	num    int64
	text   []byte
	expr   *regexp.Regexp
	block  netip.Prefix
	single []byte // the only way to write the block without a colon, if it is one IPv4 address
}

// Compile prepares a filter; nil matches every entry. formats are the fields of the possible
// formats: it fails if none of them has a field of the filter; in entries of a format without it
// the field is null. The error wraps ErrFilter.
func Compile(f *schema.Filter, formats ...[]schema.Field) (*Matcher, error) {
	if f == nil {
		return &Matcher{}, nil
	}
	var c compiler
	root, err := c.compile(f)
	if err != nil {
		return nil, err
	}
	if len(formats) > 0 {
		if err := CheckFields(c.names, formats...); err != nil {
			return nil, err
		}
	}
	return &Matcher{root: &root, names: c.names, columns: schema.NewColumns(c.names)}, nil
}

// CheckFields returns an error that lists the known fields, unless every name is a field of one of
// the formats or one that all entries have. The error wraps ErrFilter.
func CheckFields(names []string, formats ...[]schema.Field) error {
	if err := missingField(names, formats); err != nil {
		return fmt.Errorf("%w: %w", ErrFilter, err)
	}
	return nil
}

// missingField returns an error for the first unknown name, with the known fields.
func missingField(names []string, formats [][]schema.Field) error {
	known := []string{schema.HostField, schema.FileField, schema.StreamField, schema.OffsetField,
		schema.TimeField, schema.ParseErrorField, schema.LogbodyField}
	for _, fields := range formats {
		for _, f := range fields {
			if !slices.Contains(known, f.Name) {
				known = append(known, f.Name)
			}
		}
	}
	for _, fields := range formats {
		for _, name := range schema.ComputedFields(fields) {
			if !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("unknown field %q; the fields are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

type compiler struct{ names []string }

func (c *compiler) compile(f *schema.Filter) (node, error) {
	n := node{op: f.Op, num: f.Num, text: []byte(f.Text)}
	switch f.Op {
	case schema.Equal, schema.Less, schema.LessEqual:
		n.number = f.Kind == schema.Int || f.Kind == schema.Time
	}
	var err error
	switch f.Op {
	case schema.And, schema.Or, schema.Not:
		if len(f.Args) == 0 || f.Op == schema.Not && len(f.Args) != 1 {
			return n, fmt.Errorf("%w: operation %d of %d arguments", ErrFilter, f.Op, len(f.Args))
		}
		n.args = make([]node, len(f.Args))
		for i, arg := range f.Args {
			if n.args[i], err = c.compile(arg); err != nil {
				return n, err
			}
		}
		return n, nil
	case schema.Matches:
		n.expr, err = regexp.Compile(f.Text)
	case schema.Within:
		n.block, err = netip.ParsePrefix(f.Text)
		if err == nil && n.block.IsSingleIP() && n.block.Addr().Is4() {
			n.single = []byte(n.block.Addr().String())
		}
	case schema.Equal, schema.EqualFold, schema.Less, schema.LessEqual, schema.Prefix, schema.Contains, schema.IsNull:
	default:
		err = fmt.Errorf("operation %d is not known", f.Op)
	}
	if err != nil {
		return n, fmt.Errorf("%w: %s: %w", ErrFilter, f.Field, err)
	}
	if n.column = slices.Index(c.names, f.Field); n.column < 0 {
		n.column = len(c.names)
		c.names = append(c.names, f.Field)
	}
	return n, nil
}

// Match reports whether the entry matches the filter. It keeps no reference to it.
func (m *Matcher) Match(e *schema.Entry) bool {
	if m.root == nil {
		return true
	}
	m.places = m.columns.Of(e.Record)
	return m.match(m.root, e)
}

func (m *Matcher) match(n *node, e *schema.Entry) bool {
	switch n.op {
	case schema.And:
		for i := range n.args {
			if !m.match(&n.args[i], e) {
				return false
			}
		}
		return true
	case schema.Or:
		for i := range n.args {
			if m.match(&n.args[i], e) {
				return true
			}
		}
		return false
	case schema.Not:
		return !m.match(&n.args[0], e)
	}
	p := m.places[n.column]
	if null := e.Null(p); null || n.op == schema.IsNull {
		return null && n.op == schema.IsNull
	}
	switch {
	case n.op == schema.Within:
		a, ok := e.Addr(p, &m.buf)
		return ok && n.within(a)
	case n.number && (p.Kind == schema.Int || p.Kind == schema.Time):
		return n.matchNumber(e.Num(p))
	}
	return n.matchText(e.Text(p, &m.buf))
}

// within reports whether the address lies in the node's block.
func (n *node) within(a netip.Addr) bool {
	return n.block.Contains(a.WithZone("")) // a block contains no address with a zone
}

// matchNumber applies a comparison of numbers.
func (n *node) matchNumber(num int64) bool {
	switch n.op {
	case schema.Equal:
		return num == n.num
	case schema.Less:
		return num < n.num
	case schema.LessEqual:
		return num <= n.num
	}
	return false
}

// matchText applies a test to the text of a value. A number and a text that is none cannot be
// ordered.
func (n *node) matchText(text []byte) bool {
	switch n.op {
	case schema.Within:
		if n.single != nil && bytes.IndexByte(text, ':') < 0 {
			return bytes.Equal(text, n.single)
		}
		a, ok := schema.ParseAddr(text)
		return ok && n.within(a)
	case schema.EqualFold:
		return equalFold(text, n.text)
	case schema.Matches:
		return n.expr.Match(text)
	case schema.Prefix:
		return bytes.HasPrefix(text, n.text)
	case schema.Contains:
		return bytes.Contains(text, n.text)
	}
	if n.number {
		num, ok := readNumber(text)
		return ok && n.matchNumber(num)
	}
	order := bytes.Compare(text, n.text)
	switch n.op {
	case schema.Equal:
		return order == 0
	case schema.Less:
		return order < 0
	case schema.LessEqual:
		return order <= 0
	}
	return false
}

// readNumber parses a decimal number of at most 18 digits.
func readNumber(b []byte) (int64, bool) {
	digits := bytes.TrimPrefix(b, []byte("-"))
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(b) {
		n = -n
	}
	return n, true
}

// equalFold ignores the case of ASCII letters only, like HBase's servers.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c-'A' <= 'Z'-'A' {
		c |= 0x20
	}
	return c
}
