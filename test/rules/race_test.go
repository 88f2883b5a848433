package rules

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPackagesWithoutTheRaceDetectorHaveNoGoroutine checks the Makefile's list of such packages.
func TestPackagesWithoutTheRaceDetectorHaveNoGoroutine(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^SEQUENTIAL = (.+)$`).FindSubmatch(makefile)
	if list == nil {
		t.Fatal("the Makefile has no list SEQUENTIAL")
	}
	sequential := strings.Fields(string(list[1]))
	found := map[string]bool{}
	concurrent := []string{`"sync"`, `"sync/atomic"`, `"golang.org/x/sync/errgroup"`, `"testing/synctest"`}
	for _, s := range sources(t) {
		if !slices.Contains(sequential, s.dir()) {
			continue
		}
		found[s.dir()] = true
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s:%d: starts a goroutine; take %s from SEQUENTIAL in the Makefile", s.path, s.lineOf(n.Pos()), s.dir())
			case *ast.ImportSpec:
				if slices.Contains(concurrent, n.Path.Value) {
					t.Errorf("%s:%d: imports %s; take %s from SEQUENTIAL in the Makefile", s.path, s.lineOf(n.Pos()), n.Path.Value, s.dir())
				}
			}
			return true
		})
	}
	for _, dir := range sequential {
		if !found[dir] {
			t.Errorf("SEQUENTIAL in the Makefile has %s, which is no package", dir)
		}
	}
}
