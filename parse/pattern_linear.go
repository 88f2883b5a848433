package parse

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLinearProgram bounds the instructions of a pattern: a line costs at most its bytes times this
// number. A counted repetition is expanded to copies.
const maxLinearProgram = 10_000

// linear is the standard library's engine. Its time is linear in the line.
type linear struct {
	re           *regexp.Regexp
	groups       []string
	instructions int
}

// newLinear returns nil if the standard library cannot compile the expression.
func newLinear(expr string) (*linear, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, nil //nolint:nilerr // regexp2 says what is wrong with it, if anything
	}
	n := 0
	if tree, err := syntax.Parse(expr, syntax.Perl); err == nil {
		if program, err := syntax.Compile(tree.Simplify()); err == nil {
			n = len(program.Inst)
		}
	}
	if n > maxLinearProgram {
		return nil, fmt.Errorf("its counted repetitions make %d instructions, more than %d: use + or * instead of high counts", n, maxLinearProgram)
	}
	return &linear{re, re.SubexpNames(), n}, nil
}

func (l *linear) names() []string { return l.groups }

// find matches the bytes directly if all are ASCII. Otherwise each byte is converted to the
// character of its number, so that no byte is invalid.
func (l *linear) find(line []byte, s *scratch) ([]int, error) {
	ascii := true
	for _, c := range line {
		if c >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return l.re.FindSubmatchIndex(line), nil
	}
	s.text = s.text[:0]
	for _, c := range line {
		s.text = utf8.AppendRune(s.text, rune(c))
	}
	spans := l.re.FindSubmatchIndex(s.text)
	for i, at := range spans {
		if at > 0 {
			spans[i] = utf8.RuneCount(s.text[:at])
		}
	}
	return spans, nil
}

// readAlike reports whether the standard library finds the same groups as regexp2 for an expression
// that both can compile. Rows that were stored before the standard library was used are those of
// regexp2, and must not change.
func readAlike(expr string) bool {
	for i := 0; i+1 < len(expr); i++ {
		switch {
		case expr[i] == '\\' && '1' <= expr[i+1] && expr[i+1] <= '9':
			return false // a backreference or an octal number
		case expr[i] == '\\':
			i++
		case strings.HasPrefix(expr[i:], "-["):
			return false // a class subtraction, or a range up to [
		}
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	return err == nil && namesDiffer(tree.CapNames()) && alike(tree)
}

// namesDiffer reports whether the names are unique: regexp2 merges two groups of one name.
func namesDiffer(names []string) bool {
	for i, name := range names {
		if name != "" && slices.Contains(names[:i], name) {
			return false
		}
	}
	return true
}

func alike(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return false // regexp2 matches letters beyond ASCII
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 && !foldsAlike(re.Rune) {
			return false
		}
	case syntax.OpCharClass:
		if re.Flags&syntax.FoldCase != 0 && !foldsAlike(re.Rune) {
			return false
		}
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		if body := re.Sub[0]; nullable(body) && choosy(body) {
			return false // an empty iteration of a loop depends on the engine
		}
	}
	for _, sub := range re.Sub {
		if !alike(sub) {
			return false
		}
	}
	return true
}

// foldsAlike is true for ASCII, and for the two characters beyond a byte that fold to it.
func foldsAlike(runes []rune) bool {
	for _, r := range runes {
		if r >= utf8.RuneSelf && r != 'ſ' && r != '\u212a' {
			return false
		}
	}
	return true
}

// nullable reports whether an expression can match the empty string.
func nullable(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return false
	case syntax.OpPlus, syntax.OpCapture:
		return nullable(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || nullable(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !nullable(sub) {
				return false
			}
		}
		return true
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if nullable(sub) {
				return true
			}
		}
		return false
	}
	return true
}

// choosy reports whether an expression has a named group, or prefers one match over a longer one.
func choosy(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpAlternate, syntax.OpBeginLine, syntax.OpBeginText, syntax.OpEndLine, syntax.OpEndText:
		return true
	case syntax.OpCapture:
		if re.Name != "" {
			return true
		}
	}
	if re.Flags&syntax.NonGreedy != 0 {
		return true
	}
	for _, sub := range re.Sub {
		if choosy(sub) {
			return true
		}
	}
	return false
}
