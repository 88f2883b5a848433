package query

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"sluice/schema"
)

const (
	// maxExprBytes and maxDepth bound the cost of parsing an expression.
	maxExprBytes = 1 << 16
	maxDepth     = 100
)

// Parse parses an expression. Times without a zone are in zone, and relative ones ("-2h") before
// now. The error is a [*syntaxError]. [Compile] checks the names of the fields.
func Parse(expr string, now time.Time, zone *time.Location) (*schema.Filter, error) {
	if len(expr) > maxExprBytes {
		return nil, &syntaxError{expr, maxExprBytes, "the end (an expression has at most 65536 bytes)"}
	}
	tokens, err := readTokens(expr)
	if err != nil {
		return nil, err
	}
	p := parser{expr: expr, tokens: tokens, now: now, zone: zone}
	f, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.tokens[0].kind != endToken {
		return nil, p.expected("and, or, or the end")
	}
	return f, nil
}

// parser is a recursive descent parser.
type parser struct {
	expr   string
	tokens []token // remaining; the last is an endToken
	now    time.Time
	zone   *time.Location
}

func (p *parser) expected(what string) error {
	return &syntaxError{p.expr, p.tokens[0].offset, what}
}

// take consumes the keyword, in any case, or the symbol if it is next.
func (p *parser) take(text string) bool {
	t := p.tokens[0]
	if t.kind == wordToken && strings.EqualFold(t.text, text) || t.kind == symbolToken && t.text == text {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

// need is take for a required token.
func (p *parser) need(text, expected string) error {
	if !p.take(text) {
		return p.expected(expected)
	}
	return nil
}

func (p *parser) or(depth int) (*schema.Filter, error) {
	return p.chain("or", schema.Or, func() (*schema.Filter, error) {
		return p.chain("and", schema.And, func() (*schema.Filter, error) { return p.not(depth) })
	})
}

// chain parses one or more terms joined by a keyword.
func (p *parser) chain(keyword string, op schema.Op, term func() (*schema.Filter, error)) (*schema.Filter, error) {
	var args []*schema.Filter
	for len(args) == 0 || p.take(keyword) {
		f, err := term()
		if err != nil {
			return nil, err
		}
		args = append(args, f)
	}
	return join(op, args), nil
}

func (p *parser) not(depth int) (*schema.Filter, error) {
	switch {
	case depth > maxDepth:
		return nil, p.expected("at most 100 parentheses and nots within each other")
	case p.take("not"):
		f, err := p.not(depth + 1)
		if err != nil {
			return nil, err
		}
		return not(f), nil
	case p.take("("):
		f, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return f, p.need(")", "and, or, or )")
	}
	return p.test()
}

// test parses a field and a test of it.
func (p *parser) test() (*schema.Filter, error) {
	if p.tokens[0].kind != wordToken {
		return nil, p.expected("a field, not, or (")
	}
	field := p.tokens[0].text
	p.tokens = p.tokens[1:]
	for _, op := range [...]string{"=", "==", "!=", "<=", "<", ">=", ">"} {
		if p.take(op) {
			return p.value(field, op)
		}
	}
	switch {
	case p.take("=~"):
		return p.match(field)
	case p.take("!~"):
		f, err := p.match(field)
		if err != nil {
			return nil, err
		}
		return unless(f), nil
	case p.take("contains"):
		return p.part(field, schema.Contains)
	case p.take("starts"):
		if err := p.need("with", "with"); err != nil {
			return nil, err
		}
		return p.part(field, schema.Prefix)
	case p.take("is"):
		return p.null(field)
	case p.take("in"):
		return p.in(field)
	case p.take("not"):
		if err := p.need("in", "in"); err != nil {
			return nil, err
		}
		f, err := p.in(field)
		if err != nil {
			return nil, err
		}
		return unless(f), nil
	}
	return nil, p.expected("= != < <= > >= =~ !~ in, contains, starts with or is null after " + field)
}

// value parses a value to compare the field with.
func (p *parser) value(field, op string) (*schema.Filter, error) {
	t := p.tokens[0]
	if t.kind == wordToken && strings.EqualFold(t.text, "null") { // nothing equals null, and few mean the text
		return nil, p.expected(fmt.Sprintf(`a value (%s is null, %[1]s is not null; "null" in quotes is a text)`, field))
	}
	text, err := p.text("a value")
	if err != nil {
		return nil, err
	}
	f, err := compare(field, op, literal{text, t.kind == quotedToken, p.now, p.zone})
	if err != nil {
		return nil, &syntaxError{p.expr, t.offset, err.Error()}
	}
	return f, nil
}

// in parses a value, or values in parentheses.
func (p *parser) in(field string) (*schema.Filter, error) {
	if !p.take("(") {
		return p.value(field, "=")
	}
	var args []*schema.Filter
	for len(args) == 0 || p.take(",") {
		f, err := p.value(field, "=")
		if err != nil {
			return nil, err
		}
		args = append(args, f)
	}
	return join(schema.Or, args), p.need(")", ", or )")
}

// text consumes a word or a quoted text, unescaped.
func (p *parser) text(expected string) (string, error) {
	t := p.tokens[0]
	if t.kind != wordToken && t.kind != quotedToken {
		return "", p.expected(expected)
	}
	p.tokens = p.tokens[1:]
	return t.unquote(p.expr)
}

// part parses the text that the field is to contain or to start with.
func (p *parser) part(field string, op schema.Op) (*schema.Filter, error) {
	text, err := p.text("a text")
	if err != nil {
		return nil, err
	}
	return &schema.Filter{Op: op, Field: field, Text: text}, nil
}

func (p *parser) match(field string) (*schema.Filter, error) {
	t := p.tokens[0]
	if t.kind != wordToken && t.kind != quotedToken {
		return nil, p.expected("a regular expression in quotes")
	}
	if _, err := regexp.Compile(t.text); err != nil {
		return nil, p.expected("a regular expression (" + err.Error() + ")")
	}
	p.tokens = p.tokens[1:]
	return &schema.Filter{Op: schema.Matches, Field: field, Text: t.text}, nil
}

// null parses "null" or "not null".
func (p *parser) null(field string) (*schema.Filter, error) {
	negated := p.take("not")
	if err := p.need("null", "null or not null"); err != nil {
		return nil, err
	}
	f := &schema.Filter{Op: schema.IsNull, Field: field}
	if negated {
		return not(f), nil
	}
	return f, nil
}
