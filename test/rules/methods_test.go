package rules

import (
	"go/ast"
	"path/filepath"
	"testing"
)

// maxMethods is the limit of a type's methods. A type with more than about 20 is usually several.
const maxMethods = 25

// largeTypes are the types with more methods, and why. It shrinks; types are not added.
var largeTypes = map[string]string{
	"parse.reader": "one line is read without allocation: parts would have to share all of its state",
}

// TestTypesHaveFewMethods counts the methods of each type outside tests.
func TestTypesHaveFewMethods(t *testing.T) {
	count := map[string]int{}
	for _, s := range sources(t) {
		if s.test() || filepath.Dir(s.dir()) == "test" {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				count[s.dir()+"."+receiver(f.Recv.List[0].Type)]++
			}
		}
	}
	for name, n := range count {
		if _, known := largeTypes[name]; n > maxMethods && !known {
			t.Errorf("%s has %d methods, more than %d: take it apart", name, n, maxMethods)
		}
	}
	for name := range largeTypes {
		if count[name] <= maxMethods {
			t.Errorf("%s has only %d methods: remove it from the list", name, count[name])
		}
	}
}

// receiver returns the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
