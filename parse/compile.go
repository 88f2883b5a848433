package parse

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/schema"
)

// op is the kind of a step's value.
type op uint8

const (
	opText    op = iota // up to the literal after it
	opAddr              // the same; dotted quads are also parsed as numbers
	opQuoted            // up to an unescaped quote
	opRequest           // %r in quotes
	opInt               // digits, a sign, or "-"
	opTime              // %t, %{…}t
	opQuery             // %q: empty, or from '?' on
	opByte              // %X, %F: one byte
)

// step reads one directive's value and the literal after it.
type step struct {
	op    op
	kind  schema.Kind
	field int // index into the record's values
	// lit is the literal after the value, up to the next directive or the line's end.
	lit     string
	litWord uint32 // lit of one to four bytes as a number, and the mask of its bytes
	litMask uint32
	quick   bool // text followed by a literal of one byte
	quoted  bool // followed by a quote
	// lastColon is true if the value ends at the last ':' before the number after it, because an
	// IPv6 address has colons (%a:%p).
	lastColon bool
	last      bool   // the line ends after lit
	user      bool   // %u: the empty user is written as ""
	dash      bool   // "-" is a value and not null (%X)
	nullable  bool   // a time that can be "-" (%200t)
	word      bool   // text that is never empty and has no blank (%l, %H)
	ident     bool   // %l, which is never an address
	vhost     bool   // %v, %V: a port would be another value
	list      bool   // a header: it may be a list, which continues after a comma
	free      bool   // unquoted text that may have blanks
	rivals    string // the bytes that end other free texts before it, since the last quote or time
	tail      bool   // nothing separates it from the next directive
	endless   bool   // tail, and its end cannot be determined
	slow      bool   // not for the quick functions, which do not support tails and rivals
	split     bool   // a word or an address that may contain the byte after it (%h:%m)
	request   requestFields
	clock     clockFormat
	part      uint64 // this directive's bit of its moment
	directive string
}

// requestFields are the fields of the parts of %r, -1 for none.
type requestFields struct{ method, path, query, protocol int }

func (q requestFields) all() [4]int { return [4]int{q.method, q.path, q.query, q.protocol} }

// Compile compiles a mod_log_config format string. A backslash before a quote is dropped, as in the
// configuration file; \n, \t, \r and \\ are unescaped as in mod_log_config.
func Compile(logFormat string) (*Format, error) {
	c := compiler{f: &Format{text: logFormat, zone: time.UTC, time: -1, end: -1, readings: new(sync.Pool)}, hasRequest: hasDirective(logFormat, "r")}
	rest := logFormat
	for rest != "" {
		var err error
		if rest[0] != '%' || strings.HasPrefix(rest, "%%") {
			rest = c.literal(rest)
		} else if rest, err = c.directive(rest); err != nil {
			return nil, err
		}
	}
	if len(c.f.steps) == 0 {
		return nil, fmt.Errorf("%w: %q has no directive: a format string looks like '%s'", ErrFormat, logFormat, nicknames["common"])
	}
	c.finish()
	return c.f, nil
}

type compiler struct {
	f          *Format
	lit        []byte
	directives []directive // of f.fields, by index
	hasRequest bool
}

// hasDirective reports whether the format has the directive, with any modifiers.
func hasDirective(format, name string) bool {
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			return false
		}
		if strings.HasPrefix(format[i:], "%%") {
			format = format[i+2:]
			continue
		}
		d, rest, err := readDirective(format[i:])
		if err != nil {
			return false
		}
		if d.name == name {
			return true
		}
		format = rest
	}
}

func (c *compiler) literal(s string) string {
	if s[0] == '%' {
		c.lit = append(c.lit, '%')
		return s[2:]
	}
	if s[0] == '\\' && len(s) > 1 {
		if i := strings.IndexByte(`nrt\"'`, s[1]); i >= 0 {
			c.lit = append(c.lit, "\n\r\t\\\"'"[i])
			return s[2:]
		}
	}
	c.lit = append(c.lit, s[0])
	return s[1:]
}

func (c *compiler) directive(s string) (string, error) {
	d, rest, err := readDirective(s)
	if err != nil {
		return "", err
	}
	sp, err := d.spec()
	if err != nil {
		return "", err
	}
	before := c.endLiteral()
	st := step{op: sp.op, kind: sp.kind, directive: d.text, user: d.name == "u", word: isWord(d), ident: d.name == "l", vhost: d.name == "v" || d.name == "V", list: strings.Contains("i o ^ti ^to", d.name), dash: d.name == "X", nullable: d.cond}
	switch sp.op {
	case opTime:
		if st.clock, err = compileClock(d); err != nil {
			return "", err
		}
		if st.field, st.part, err = c.timeField(d, st.clock.end); err != nil {
			return "", err
		}
	case opRequest:
		c.requestFields(d, &st)
	default:
		name := sp.field
		if d.name == "U" && c.hasRequest {
			name = "url_path" // path is %r's, with its query
		}
		st.field = c.field(d, name, sp.kind)
	}
	if st.kind == schema.Addr {
		st.op = opAddr
	}
	quoted := strings.HasSuffix(before, `"`) && strings.HasPrefix(strings.TrimPrefix(rest, `\`), `"`)
	if quoted && st.op == opText {
		st.op = opQuoted
	}
	c.f.steps = append(c.f.steps, st)
	return rest, nil
}

// isWord reports whether the directive's text is one word. A user, a header or a path may have
// blanks, which Apache does not escape.
func isWord(d directive) bool {
	return strings.Contains("lvVLmHP", d.name)
}

// endLiteral assigns the literal read so far to the step before it.
func (c *compiler) endLiteral() string {
	lit := string(c.lit)
	c.lit = c.lit[:0]
	if n := len(c.f.steps); n > 0 {
		c.f.steps[n-1].lit = lit
	} else {
		c.f.prefix = lit
	}
	return lit
}

// field adds a field. If the format has the name already, the final request's value keeps it and
// the original's becomes original_NAME; any other repetition is numbered.
func (c *compiler) field(d directive, name string, kind schema.Kind) int {
	if i := schema.Index(c.f.fields, name); i >= 0 {
		old := c.directives[i]
		switch {
		case d.final && !old.final && old.name == d.name && schema.Index(c.f.fields, "original_"+name) < 0:
			c.f.fields[i].Name = "original_" + name
		case !d.final && old.final && old.name == d.name && schema.Index(c.f.fields, "original_"+name) < 0:
			name = "original_" + name
		}
	}
	base := name
	for n := 2; schema.Index(c.f.fields, name) >= 0 || reserved(name); n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	c.f.fields = append(c.f.fields, schema.Field{Name: name, Kind: kind, Directive: d.text})
	c.directives = append(c.directives, d)
	return len(c.f.fields) - 1
}

// reserved are the names of the fields that every row has beside those of its format.
func reserved(name string) bool {
	return name == schema.HostField || name == schema.LogbodyField || name == schema.ParseErrorField
}

// timeField returns the field of a time directive and the directive's bit of the moment: all
// directives of one moment share a field.
func (c *compiler) timeField(d directive, end bool) (int, uint64, error) {
	index, name, moment := &c.f.time, schema.TimeField, &c.f.moment[0]
	if end {
		index, name, moment = &c.f.end, "end_time", &c.f.moment[1]
	}
	if *index < 0 {
		*index = c.field(d, name, schema.Time)
	} else {
		c.f.parts = true
	}
	part := *moment + 1 // all bits below are taken
	if part == 0 {
		return 0, 0, fmt.Errorf("%w: %s is the 65th directive of one time, 64 are supported", ErrFormat, d.text)
	}
	*moment |= part
	return *index, part, nil
}

// requestFields adds the fields of the parts of %r. A part that has a directive of its own in the
// format (%m, %H) gets its value from that one.
func (c *compiler) requestFields(d directive, st *step) {
	part := func(name string, derived bool) int {
		if schema.Index(c.f.fields, name) >= 0 || name != "path" && hasDirective(c.f.text, map[string]string{"method": "m", "protocol": "H", "query": "q"}[name]) {
			return -1
		}
		i := c.field(d, name, schema.Text)
		c.f.fields[i].Derived = derived
		return i
	}
	st.request = requestFields{method: part("method", false), path: part("path", false), protocol: part("protocol", false), query: part("query", true)}
	st.field = c.field(d, "request", schema.Text)
	c.f.fields[st.field].Derived = true
}

// finish sets the attributes of the steps that depend on the steps after them.
func (c *compiler) finish() {
	c.endLiteral()
	steps := c.f.steps
	for i := range steps {
		s := &steps[i]
		s.last = i == len(steps)-1
		s.tail = s.lit == "" && !s.last
		if n := len(s.lit); n > 0 && n <= 4 {
			s.litMask = ^uint32(0) >> (32 - 8*n)
			for j := range n {
				s.litWord |= uint32(s.lit[j]) << (8 * j)
			}
		}
		s.quoted = strings.HasPrefix(s.lit, `"`)
		s.endless = s.tail && isEndless(s, &steps[i+1])
		s.quick = s.op == opText && len(s.lit) == 1 && s.lit != "-"
		if s.op == opTime && !s.clock.clf {
			c.f.parts = true
		}
		if s.tail && steps[i+1].op == opTime && len(s.clock.parts) == 1 && s.clock.parts[0] == epochSeconds {
			s.clock.parts[0] = epochTenDigits
		}
		if s.lit == ":" && !s.last && (s.op == opAddr || s.op == opText) && steps[i+1].op == opInt {
			s.lastColon = true
		}
	}
	c.rivals()
	for i := range steps[:len(steps)-1] {
		// %U%q is the path with its query: one field, as %r has it.
		if s := &steps[i]; s.tail && c.f.fields[s.field].Name == "path" && steps[i+1].op == opQuery {
			steps[i+1].request.path = s.field + 1
		}
	}
	c.f.fields = slices.Clip(c.f.fields)
}

// rivals marks the values that share their separators: of several free texts between two fixed
// points of a line (quotes, bracketed times), a later one may contain a part of an earlier one.
func (c *compiler) rivals() {
	ends := ""
	for i := range c.f.steps {
		s := &c.f.steps[i]
		s.free = (s.op == opText && !s.word || s.op == opRequest || s.op == opQuery) && !s.quoted
		// Before a quote or a time, a comma is the value's last byte.
		s.list = s.list && s.free && !s.last && !s.tail && !strings.Contains(s.lit, `"`) && c.f.steps[i+1].op != opTime
		if s.op == opTime && s.clock.clf {
			if ends != "" { // a text before it may have a bracketed time, too
				ends = "["
			}
			c.f.times++
		}
		if s.op != opQuoted {
			s.rivals = ends
		}
		s.slow = s.endless || strings.ContainsAny(s.rivals, "-.0123456789")
		s.split = (s.op == opAddr || s.word) && !isBlank(s.lit) && !s.quoted && !s.lastColon
		if (s.free || s.split) && s.lit != "" {
			ends += s.lit[:1]
		}
		if strings.Contains(s.lit, `"`) {
			ends = ""
		}
	}
}

// isEndless reports whether the end of s and the start of the value directly after it cannot be
// determined.
func isEndless(s, next *step) bool {
	starts := next.op == opQuery || next.op == opTime && next.clock.clf // with '?', with '['
	switch s.op {
	case opText, opAddr, opRequest, opQuery:
		return !starts
	case opInt:
		return !starts && next.op != opByte
	}
	return false
}
