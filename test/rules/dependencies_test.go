package rules

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// dependencyHeading matches the heading of a dependency, which is its module path.
var dependencyHeading = regexp.MustCompile("(?m)^### `([^`]+)`")

// docs/dependencies.md says of each direct dependency what it is for. Direct is
// what a file of ours imports; `go mod tidy -diff` holds go.mod to the same.
func TestDependenciesAreExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, m := range dependencyHeading.FindAllSubmatch(text, -1) {
		explained[string(m[1])] = true
	}
	direct := directModules(t)
	for _, m := range slices.Sorted(maps.Keys(direct)) {
		if !explained[m] {
			t.Errorf("docs/dependencies.md does not say what %s is for (heading: ### `%s`)", m, m)
		}
	}
	for _, m := range slices.Sorted(maps.Keys(explained)) {
		if !direct[m] {
			t.Errorf("docs/dependencies.md explains %s, which nothing imports", m)
		}
	}
}

// directModules are the modules of go.mod that a file of ours imports from.
func directModules(t *testing.T) map[string]bool {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit -json: %v", err)
	}
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for _, s := range sources(t) {
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			longest := ""
			for _, m := range mod.Require {
				if (imported == m.Path || strings.HasPrefix(imported, m.Path+"/")) && len(m.Path) > len(longest) {
					longest = m.Path
				}
			}
			if longest != "" {
				direct[longest] = true
			}
		}
	}
	return direct
}
