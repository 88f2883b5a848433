package parse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sluice/schema"
)

// bothEngines compiles an expression by either engine; false where one of them
// cannot, or where the choice is not the standard library's.
func bothEngines(expr string) (l *linear, b *backtracking, ok bool) {
	expr = bytesAsRunes(expr)
	l, err := newLinear(expr)
	if err != nil || l == nil || !readAlike(expr) {
		return nil, nil, false
	}
	b, err = newBacktracking(expr, patternTimeout)
	return l, b, err == nil
}

// checkAlike compares the named groups that both engines find.
func checkAlike(t *testing.T, expr string, l *linear, b *backtracking, line []byte) {
	t.Helper()
	var s1, s2 scratch
	want, err := b.find(line, &s1)
	if err != nil {
		return
	}
	got, err := l.find(line, &s2)
	if err != nil {
		t.Fatal(err)
	}
	if (got == nil) != (want == nil) {
		t.Fatalf("%q of %q: RE2 %v, regexp2 %v", expr, line, got, want)
	}
	if got == nil {
		return
	}
	for n, name := range l.groups {
		if name == "" {
			continue
		}
		m := slices.Index(b.groups, name)
		if m < 0 {
			t.Fatalf("%q: regexp2 has no group %s: %q", expr, name, b.groups)
		}
		if !slices.Equal(got[2*n:2*n+2], want[2*m:2*m+2]) && (got[2*n] >= 0 || want[2*m] >= 0) {
			t.Fatalf("%q of %q: %s is %v with RE2 and %v with regexp2", expr, line, name, got[2*n:2*n+2], want[2*m:2*m+2])
		}
	}
}

// expressions returns random expressions, made of common parts.
type expressions struct {
	*rand.Rand
	groups int
}

func (e *expressions) one(depth int) string {
	if depth <= 0 {
		atoms := []string{"a", "b", "k", "S", " ", `\S`, `\d`, `\w`, `\s`, `\W`, `\D`, ".", "[^ab]", "[a-c]", `[^\s]`, "[[:alpha:]]", `\xe9`, `[\x80-\xff]`, "é", "^", "$", `\b`, `\x{41}`, `\.`, `\Qa.\E`, `\pL`, `\PL`, `\041`, `[\w-]`, `[]a]`, `[^]a]`, `[\d-x]`, `\A`, `\z`, `\v`, `\f`, `\B`}
		return atoms[e.IntN(len(atoms))]
	}
	sub := func() string { return e.one(depth - 1 - e.IntN(2)) }
	switch e.IntN(9) {
	case 0, 1, 2:
		return sub() + sub()
	case 3:
		body := sub()
		e.groups++
		return fmt.Sprintf("(?P<g%d>%s)", e.groups, body)
	case 4:
		return "(" + sub() + "|" + sub() + ")"
	case 5:
		return "(?" + []string{"i", "s", "m", "-i", "i-s"}[e.IntN(5)] + ":" + sub() + ")"
	case 6:
		return "(" + sub() + ")" + []string{"*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}"}[e.IntN(10)]
	case 7:
		return "(?:" + sub() + ")" + []string{"*", "+", "?", "*?", "+?"}[e.IntN(5)]
	}
	return sub() + "(?i)" + sub()
}

func (e *expressions) line() []byte {
	const alphabet = "aabbkKsS 0_\xe9\xc9\xdf\xff\xb5\xaa\r\t.-[]|A"
	line := make([]byte, e.IntN(12))
	for i := range line {
		line[i] = alphabet[e.IntN(len(alphabet))]
	}
	return line
}

func TestPatternsAreReadAlikeByBothEngines(t *testing.T) {
	seed := uint64(rand.Uint32())
	t.Log("seed", seed)
	e := &expressions{Rand: rand.New(rand.NewPCG(seed, 0))}
	chosen := 0
	for range 6_000 {
		e.groups = 0
		expr := e.one(4)
		l, b, ok := bothEngines(expr)
		if !ok {
			continue
		}
		chosen++
		for range 8 {
			checkAlike(t, expr, l, b, e.line())
		}
	}
	if chosen < 1500 {
		t.Errorf("only %d expressions are read by both", chosen)
	}
}

func FuzzPatternEngines(f *testing.F) {
	f.Add(`^(?P<a>\S+) (?P<b>[^"]*)$`, []byte("a b"))
	f.Add(`(?i)(?P<a>[^k]+)`, []byte("K\xe9"))
	f.Add(`(?P<a>(b*|c)+?)`, []byte("bbc"))
	f.Add(`(?P<a>[a-[b]])`, []byte("-]"))
	f.Add(`(?P<a>\bx\B)`, []byte("\xe9x"))
	f.Fuzz(func(t *testing.T, expr string, line []byte) {
		if len(expr) > 200 || len(line) > 200 {
			return
		}
		if l, b, ok := bothEngines(expr); ok {
			checkAlike(t, expr, l, b, line)
		}
	})
}

func TestPatternsThatRE2ReadsTakeLinearTime(t *testing.T) {
	for _, expr := range []string{
		`^(?P<a>(\S+)+)$`, `(\S+)+(?P<a>y)`, `^(?P<a>(x+x+)+)(?P<b>y)$`, `(?P<a>(\S*)*)\d`, `(a|aa)+(?P<a>$)`, `(?:.*)*=.*=(?P<a>;)`, `(?P<client>\S+) (.*) (.*) (.*) (?P<a>z)`, `(?i)(?P<a>(K|S)+)!`,
	} {
		f, err := compilePattern(expr, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.Backtracks() {
			t.Errorf("%s backtracks", expr)
		}
		var rec schema.Record
		for _, part := range []string{"x", "a ", "\xe9", "k"} {
			f.Parse([]byte(strings.Repeat(part, 4000)), &rec)
			if strings.Contains(rec.Err.Reason, "backtracks") {
				t.Errorf("%s: %v", expr, rec.Err)
			}
		}
	}
}

func TestPatternsThatNeedBacktrackingAreKnown(t *testing.T) {
	for expr, want := range map[string]bool{
		`^(?P<a>\S+) (?P<b>.*)$`: false, `(?<a>\S+)`: false, `(?P<a>\x{41})`: false, `(?i)(?P<a>get)`: false,
		`(?P<a>x(?=y))`: true, `(?P<a>(?<!x)y)`: true, `(?P<a>\w)(?P=a)`: true, `(\w)(?P<a>\1)`: true, `(?P<a>(?>x+)y)`: true,
		`\b(?P<a>x)`: true, `(?i)(?P<a>é)`: true, `(?P<a>[a-z-[aeiou]])`: true,
	} {
		f, err := compilePattern(expr, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.Backtracks() != want {
			t.Errorf("%s backtracks: %v", expr, !want)
		}
	}
	if f, err := Lookup("combined", nil); err != nil || f.Backtracks() {
		t.Errorf("combined backtracks, %v", err)
	}
}

func TestPatternsOfTooManyInstructionsAreRefused(t *testing.T) {
	for _, expr := range []string{
		`(?P<a>x)` + strings.Repeat(`x{1000}`, 11), `(?P<a>` + strings.Repeat(`(?:ab|c){300}`, 20) + `)`, strings.Repeat(`(\S{1,1000})`, 9) + `(?P<a>y)`,
	} {
		if f, err := compilePattern(expr, nil); err == nil || !strings.Contains(err.Error(), "instructions") {
			t.Errorf("%.40s: %v, %v", expr, f, err)
		}
	}
}
