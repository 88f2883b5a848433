package rules

import (
	"go/ast"
	"strings"
	"testing"
)

// rawPrinting are the files of the command that may print without print.Textf, because they print
// only texts of sluice itself.
var rawPrinting = []string{"bench", "progress.go", "version.go"}

// TestCommandsPrintThroughPrint checks that commands escape all text for the terminal, because
// other hosts choose some of it.
func TestCommandsPrintThroughPrint(t *testing.T) {
	for _, s := range sources(t) {
		name := strings.TrimPrefix(s.path, "cmd/sluice/")
		if s.test() || name == s.path || strings.HasPrefix(name, rawPrinting[0]) || name == rawPrinting[1] || name == rawPrinting[2] {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(f.Sel.Name, "Fprint") {
				t.Errorf("%s:%d: fmt.%s: use print.Textf or print.Textln, which escape what a terminal would act upon", s.path, s.lineOf(call.Pos()), f.Sel.Name)
			}
			return true
		})
	}
}
