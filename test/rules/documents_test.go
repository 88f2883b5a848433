package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

const maxDocumentLine = 100

// shortLines are the documents whose lines have at most maxDocumentLine characters. Code
// and rows of tables are not counted.
var shortLines = []string{
	"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/operations.md", "docs/install.md", "docs/logs.md", "docs/agents.md", "docs/watching.md",
	"docs/audit.md", "docs/archive.md", "docs/secured.md", "docs/troubleshooting.md",
}

func TestLinesOfDocumentsAreShort(t *testing.T) {
	for _, name := range shortLines {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
			continue
		}
		code := false
		for i, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(line, "```") {
				code = !code
			}
			if n := utf8.RuneCountInString(line); n > maxDocumentLine && !code && !strings.HasPrefix(line, "    ") && !strings.HasPrefix(line, "|") {
				t.Errorf("%s:%d has %d characters, more than %d", name, i+1, n, maxDocumentLine)
			}
		}
	}
}
