package rules

import (
	"bytes"
	"go/ast"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	maxFileLines     = 500
	maxFunctionLines = 80
)

func TestSourceIsFormatted(t *testing.T) {
	for _, s := range sources(t) {
		formatted, err := format.Source(s.text)
		if err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if !bytes.Equal(formatted, s.text) {
			t.Errorf("%s: run gofmt -w on it", s.path)
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	comments := map[string][]string{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		found := comments[s.dir()]
		if s.file.Doc != nil {
			found = append(found, s.path)
			if name := s.file.Name.Name; name != "main" && !strings.HasPrefix(s.file.Doc.Text(), "Package "+name+" ") {
				t.Errorf("%s: the comment begins with other words than \"Package %s\"", s.path, name)
			}
		}
		comments[s.dir()] = found
	}
	for dir, found := range comments {
		if len(found) != 1 {
			t.Errorf("package %s has %d package comments, want one: %v", dir, len(found), found)
		}
	}
}

func TestFilesAndFunctionsStayReadable(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		if n := bytes.Count(s.text, []byte("\n")); n > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxFileLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.lineOf(f.End()) - s.lineOf(f.Pos()) + 1; n > maxFunctionLines {
				t.Errorf("%s:%d: %s has %d lines, more than %d", s.path, s.lineOf(f.Pos()), f.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

// TestNothingRunsBeforeMain forbids init functions, because they cannot be tested, replaced or
// omitted.
func TestNothingRunsBeforeMain(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s:%d: init()", s.path, s.lineOf(f.Pos()))
			}
		}
	}
}

// TestNoSleeps forbids time.Sleep. In a test it is a race that fails when the machine is busy;
// in the program it cannot be interrupted. It is allowed in a bubble of testing/synctest, where it
// takes no time.
func TestNoSleeps(t *testing.T) {
	for _, s := range sources(t) {
		if imports(s, "testing/synctest") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s:%d: time.Sleep: step the loop, or use testing/synctest", s.path, s.lineOf(n.Pos()))
				}
			}
			return true
		})
	}
}

func imports(s *source, path string) bool {
	for _, spec := range s.file.Imports {
		if spec.Path.Value == `"`+path+`"` {
			return true
		}
	}
	return false
}

// TestFuzzTargetsHaveSeeds requires seeds, because fuzzing finds little without them.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !s.test() || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			dir := filepath.Join(root, s.dir(), "testdata", "fuzz", f.Name.Name)
			kept, err := os.ReadDir(dir)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if len(kept) == 0 && !seeds(f) {
				t.Errorf("%s: %s has no f.Add and nothing in %s", s.path, f.Name.Name, dir)
			}
		}
	}
}

// seeds reports whether the target adds seeds itself, or passes f to a function that does.
func seeds(target *ast.FuncDecl) bool {
	if target.Type.Params.NumFields() != 1 || len(target.Type.Params.List[0].Names) != 1 {
		return false
	}
	param := target.Type.Params.List[0].Names[0].Name
	found := false
	ast.Inspect(target.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Add" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == param {
				found = true
			}
		}
		for _, arg := range call.Args {
			if x, ok := arg.(*ast.Ident); ok && x.Name == param {
				found = true
			}
		}
		return true
	})
	return found
}
