package hbase

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sluice/hadoop/protobuf"
	"sluice/schema"
)

const (
	filterPackage = "org.apache.hadoop.hbase.filter."
	// maxStreams is the maximum number of streams in a filter for the servers.
	maxStreams = 64
	// streamAt is the offset of the stream's id in a salted key.
	streamAt = 9
)

// Comparisons, as CompareType numbers them.
const (
	less           = 0
	lessOrEqual    = 1
	equal          = 2
	notEqual       = 3
	greaterOrEqual = 4
	greater        = 5
)

const (
	mustPassAll = 1
	mustPassOne = 2
)

// filter returns the part of a scan's conditions that servers can apply: a Filter, or nil. It
// selects what the scan selects and possibly more; exact means that it selects only the scan's
// streams.
func (t *Table) filter(s schema.Scan) (filter []byte, exact bool) {
	var all [][]byte
	exact = s.Streams == nil
	if t.layout.Name != schema.LayoutFlume && s.Streams != nil && len(s.Streams) <= maxStreams {
		var some [][]byte
		for _, id := range s.Streams {
			some = append(some, streamFilter(id))
		}
		all, exact = append(all, list(mustPassOne, some)), true
	}
	if s.Filter != nil && t.layout.Name != schema.LayoutPacked { // servers cannot decode a record
		if f := (pushdown{t.layout}).filter(s.Filter, false); f != nil {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return nil, exact
	}
	return list(mustPassAll, all), exact
}

func streamFilter(id schema.StreamID) []byte {
	value := binary.BigEndian.AppendUint64(nil, uint64(id))
	component := protobuf.AppendUint(protobuf.AppendBytes(nil, 1, value), 2, streamAt)
	compare := protobuf.AppendBytes(protobuf.AppendUint(nil, 1, equal), 2, named(filterPackage+"BinaryComponentComparator", component))
	return named(filterPackage+"RowFilter", protobuf.AppendBytes(nil, 1, compare))
}

// named encodes a Filter or a Comparator: a class and its message.
func named(class string, message []byte) []byte {
	return protobuf.AppendBytes(protobuf.AppendBytes(nil, 1, class), 2, message)
}

// list joins filters; a single one is returned.
func list(operator uint64, filters [][]byte) []byte {
	if len(filters) == 1 {
		return filters[0]
	}
	m := protobuf.AppendUint(nil, 1, operator)
	for _, f := range filters {
		m = protobuf.AppendBytes(m, 2, f)
	}
	return named(filterPackage+"FilterList", m)
}

// pushdown converts expressions to filters that select at least what the expression selects; the
// scanner applies the expression again.
//
// A row without the cell always passes, as the field may be one that is parsed from logbody. So
// does a cell of another kind than the comparison's, as two formats of one table may use a name for
// different kinds: numbers have 8 bytes, and those of logs begin with a byte below 0x20 (2^61), or
// with 0xf0 and more if negative; decimal text begins with 0x2d or more.
type pushdown struct{ layout schema.Layout }

const (
	firstOfText    = "\x2d"
	lastOfNumber   = "\x20"
	firstOfMinuses = "\xf0"
)

// filter converts f, or not f if negate is set; nil selects everything.
func (p pushdown) filter(f *schema.Filter, negate bool) []byte {
	switch f.Op {
	case schema.And, schema.Or:
		return p.join(f, negate)
	case schema.Not:
		if len(f.Args) == 1 {
			return p.filter(f.Args[0], !negate)
		}
		return nil
	}
	if !pushable(f.Field) {
		return nil
	}
	if f.Kind == schema.Int || f.Kind == schema.Time {
		return p.number(f, negate)
	}
	return p.text(f, negate)
}

// join converts and, and or: not (a and b) is not a, or not b.
func (p pushdown) join(f *schema.Filter, negate bool) []byte {
	and := (f.Op == schema.And) != negate
	var parts [][]byte
	for _, arg := range f.Args {
		part := p.filter(arg, negate)
		switch {
		case part != nil:
			parts = append(parts, part)
		case !and: // one that selects everything, and so do all
			return nil
		}
	}
	if len(parts) == 0 {
		return nil
	}
	if and {
		return list(mustPassAll, parts)
	}
	return list(mustPassOne, parts)
}

// pushable reports whether a field can only be a cell; the others are attributes of the stream.
func pushable(field string) bool {
	switch field {
	case schema.HostField, schema.FileField, schema.StreamField, schema.OffsetField:
		return false
	}
	return true
}

// number compares eight bytes, whose order is that of non-negative numbers.
func (p pushdown) number(f *schema.Filter, negate bool) []byte {
	if p.layout.Name != schema.LayoutTyped || f.Num < 0 {
		return nil
	}
	var operator uint64
	switch f.Op {
	case schema.Equal:
		operator = equal
	case schema.Less:
		operator = less
	case schema.LessEqual:
		operator = lessOrEqual
	default:
		return nil
	}
	value := schema.EncodeNumber(nil, f.Num)
	return list(mustPassOne, [][]byte{
		p.cell(f.Field, inverse(operator, negate), binaryComparator(value)),
		p.cell(f.Field, greaterOrEqual, binaryComparator([]byte(firstOfText))),
	})
}

func inverse(operator uint64, negate bool) uint64 {
	if !negate {
		return operator
	}
	return [...]uint64{less: greaterOrEqual, lessOrEqual: greater, equal: notEqual}[operator]
}

// text compares bytes.
func (p pushdown) text(f *schema.Filter, negate bool) []byte {
	comparator, operator := binaryComparator([]byte(f.Text)), uint64(equal)
	switch f.Op {
	case schema.Equal:
	case schema.Less:
		operator = less
	case schema.LessEqual:
		operator = lessOrEqual
	case schema.Prefix:
		comparator = named(filterPackage+"BinaryPrefixComparator", protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, f.Text)))
	case schema.Contains, schema.EqualFold:
		if negate || !plain(f.Text) { // it is case-insensitive, so the rows that it excludes are not known
			return nil
		}
		comparator = named(filterPackage+"SubstringComparator", protobuf.AppendBytes(nil, 1, f.Text))
	case schema.Within:
		expr, ok := blockExpr(f.Text)
		if negate || !ok { // an address can be written in several ways, so the rows that it excludes are not known
			return nil
		}
		comparator = regexComparator(expr)
	default:
		return nil
	}
	return list(mustPassOne, [][]byte{
		p.cell(f.Field, inverse(operator, negate), comparator),
		p.cell(f.Field, less, binaryComparator([]byte(lastOfNumber))),
		p.cell(f.Field, greaterOrEqual, binaryComparator([]byte(firstOfMinuses))),
	})
}

// blockExpr returns a regular expression that matches each way to write an address of a block: IPv4
// addresses by their numbers, and all with a colon, which can be IPv4 addresses, too; IPv6
// addresses by their first 16 bits, if these are not zero.
func blockExpr(block string) (string, bool) {
	p, err := netip.ParsePrefix(block)
	switch {
	case err != nil || p.Bits() == 0:
		return "", false
	case !p.Addr().Is4():
		first := binary.BigEndian.Uint16(p.Masked().Addr().AsSlice())
		if p.Bits() < 16 || first == 0 {
			return ":", true
		}
		return fmt.Sprintf("^0{0,3}%x:", first), true
	}
	a := p.Masked().Addr().As4()
	expr := ":|^"
	for i := range p.Bits() / 8 {
		expr += fmt.Sprintf(`%d\.`, a[i])
	}
	if rest := p.Bits() % 8; rest > 0 {
		var numbers []string
		low := int(a[p.Bits()/8])
		for n := range 1 << (8 - rest) {
			numbers = append(numbers, strconv.Itoa(low+n))
		}
		expr += "(?:" + strings.Join(numbers, "|") + ")"
		if p.Bits() > 24 {
			return expr + "$", true
		}
		return expr + `\.`, true
	}
	if p.Bits() == 32 {
		expr = strings.TrimSuffix(expr, `\.`) + "$"
	}
	return expr, true
}

// Flags of java.util.regex.Pattern.
const (
	regexIgnoreCase = 2
	regexDotAll     = 32
)

func regexComparator(expr string) []byte {
	m := protobuf.AppendUint(protobuf.AppendBytes(nil, 1, expr), 2, regexIgnoreCase|regexDotAll)
	return named(filterPackage+"RegexStringComparator", protobuf.AppendBytes(protobuf.AppendBytes(m, 3, "UTF-8"), 4, "JAVA"))
}

// plain reports whether text is printable ASCII, as the servers read text as UTF-8.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] > 0x7e {
			return false
		}
	}
	return true
}

func binaryComparator(value []byte) []byte {
	return named(filterPackage+"BinaryComparator", protobuf.AppendBytes(nil, 1, protobuf.AppendBytes(nil, 1, value)))
}

// cell is a SingleColumnValueFilter.
func (p pushdown) cell(field string, operator uint64, comparator []byte) []byte {
	m := protobuf.AppendBytes(nil, 1, p.layout.Family)
	m = protobuf.AppendBytes(m, 2, p.layout.Qualifier(field))
	m = protobuf.AppendUint(m, 3, operator)
	m = protobuf.AppendBytes(m, 4, comparator)
	m = protobuf.AppendBool(m, 5, false) // missing cells pass
	return named(filterPackage+"SingleColumnValueFilter", protobuf.AppendBool(m, 6, true))
}

// filterColumns adds the columns of the filter: a server applies it only to the columns that it
// returns.
func filterColumns(l schema.Layout, f *schema.Filter, columns []string) []string {
	if f == nil {
		return columns
	}
	if f.Field != "" {
		if q := l.Qualifier(f.Field); !slices.Contains(columns, q) {
			columns = append(columns, q)
		}
	}
	for _, arg := range f.Args {
		columns = filterColumns(l, arg, columns)
	}
	return columns
}
