package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the path from this package to the module's root.
const root = "../.."

// source is one parsed Go file of the module.
type source struct {
	path string // slash-separated, relative to the root
	text []byte
	file *ast.File
	fset *token.FileSet
}

// dir returns the package's path relative to the root.
func (s *source) dir() string { return path.Dir(s.path) }

func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// lineOf returns the line number of a position in the file.
func (s *source) lineOf(p token.Pos) int { return s.fset.Position(p).Line }

// files returns the files of the tree, without git's own and without files that builds or runs
// create (the names in .gitignore).
func files(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && (rel == ".git" || rel == "sluice-data"):
			return fs.SkipDir
		case !d.Type().IsRegular(), rel == ".git" /* of a linked work tree */, rel == "sluice", slices.Contains([]string{".test", ".prof"}, path.Ext(rel)):
			return nil
		}
		found = append(found, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sources parses every Go file outside testdata.
func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	for _, name := range files(t) {
		if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &source{name, text, file, fset})
	}
	return all
}
