package query

import (
	"fmt"
	"strconv"
	"strings"
)

// syntaxError is an error at a position of an expression.
type syntaxError struct {
	Expr     string
	Offset   int    // byte of Expr
	Expected string // what is valid there
}

func (e *syntaxError) Error() string {
	found := "the end"
	if e.Offset < len(e.Expr) {
		rest := []rune(e.Expr[e.Offset:])
		if len(rest) > 20 {
			rest = append(rest[:20], '…')
		}
		found = fmt.Sprintf("%q", string(rest))
	}
	return fmt.Sprintf("where: expected %s at byte %d, found %s", e.Expected, e.Offset, found)
}

type tokenKind uint8

const (
	endToken tokenKind = iota
	wordToken
	quotedToken // text is the text between the quotes, not unescaped
	symbolToken // ( ) , = != < <= > >= =~ !~
)

type token struct {
	kind   tokenKind
	text   string
	offset int
}

const (
	spaces  = " \t\r\n"
	symbols = "()=!<>~,\"'"
)

// readTokens splits an expression; the last token is the end.
func readTokens(expr string) ([]token, error) {
	var tokens []token
	for end := 0; ; {
		t, next, err := readToken(expr, end)
		if err != nil {
			return nil, err
		}
		tokens, end = append(tokens, t), next
		if t.kind == endToken {
			return tokens, nil
		}
	}
}

// readToken returns the token at or after offset, and its end.
func readToken(expr string, offset int) (token, int, error) {
	for offset < len(expr) && strings.IndexByte(spaces, expr[offset]) >= 0 {
		offset++
	}
	if offset == len(expr) {
		return token{endToken, "", offset}, offset, nil
	}
	switch c := expr[offset]; {
	case c == '"' || c == '\'':
		return readQuoted(expr, offset)
	case strings.IndexByte(symbols, c) >= 0:
		for _, s := range []string{"<=", ">=", "=~", "!~", "!=", "==", "(", ")", ",", "<", ">", "="} {
			if strings.HasPrefix(expr[offset:], s) {
				return token{symbolToken, s, offset}, offset + len(s), nil
			}
		}
		return token{}, 0, &syntaxError{expr, offset, "!= or !~"}
	}
	end := strings.IndexAny(expr[offset:], spaces+symbols)
	if end < 0 {
		end = len(expr) - offset
	}
	return token{wordToken, expr[offset : offset+end], offset}, offset + end, nil
}

func readQuoted(expr string, offset int) (token, int, error) {
	for i := offset + 1; i < len(expr); i++ {
		switch expr[i] {
		case '\\':
			i++
		case expr[offset]:
			return token{quotedToken, expr[offset+1 : i], offset}, i + 1, nil
		}
	}
	return token{}, 0, &syntaxError{expr, len(expr), "the closing " + expr[offset:offset+1]}
}

// unquote unescapes a quoted token.
func (t token) unquote(expr string) (string, error) {
	if t.kind != quotedToken || strings.IndexByte(t.text, '\\') < 0 {
		return t.text, nil
	}
	var b strings.Builder
	for i := 0; i < len(t.text); i++ {
		if t.text[i] != '\\' {
			b.WriteByte(t.text[i])
			continue
		}
		i++ // readQuoted consumed the byte after a backslash
		switch c := t.text[i]; c {
		case '"', '\'', '\\':
			b.WriteByte(c)
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		default:
			n, err := strconv.ParseUint(t.text[min(i+1, len(t.text)):min(i+3, len(t.text))], 16, 8)
			if c != 'x' || err != nil || i+2 >= len(t.text) {
				return "", &syntaxError{expr, t.offset + i, `\\ for a backslash, or \" \' \n \r \t \xhh,`}
			}
			b.WriteByte(byte(n))
			i += 2
		}
	}
	return b.String(), nil
}
