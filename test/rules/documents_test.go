package rules

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const maxDocumentLine = 100

// documentWords are words that a document does not use, beside those of [literary].
var documentWords = regexp.MustCompile(`(?i)\b(dear|anybody|is seen to|tells? of|says of|to and fro|mend(ed|s)?)\b`)

// eachDocumentLine calls f for each line of the documents that is not generated and not in a
// block of code.
func eachDocumentLine(t *testing.T, f func(name string, number int, line string)) {
	t.Helper()
	for _, name := range files(t) {
		if path.Ext(name) != ".md" || strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		written, _, _ := strings.Cut(string(text), "<!-- Below is generated")
		code := false
		for i, line := range strings.Split(written, "\n") {
			fence := strings.HasPrefix(line, "```")
			if fence {
				code = !code
			}
			if !code && !fence && !strings.HasPrefix(line, "    ") {
				f(name, i+1, line)
			}
		}
	}
}

func TestLinesOfDocumentsAreShort(t *testing.T) {
	eachDocumentLine(t, func(name string, number int, line string) {
		if n := utf8.RuneCountInString(line); n > maxDocumentLine && !strings.HasPrefix(line, "|") {
			t.Errorf("%s:%d has %d characters, more than %d", name, number, n, maxDocumentLine)
		}
	})
}

func TestDocumentsUsePlainWords(t *testing.T) {
	eachDocumentLine(t, func(name string, number int, line string) {
		for _, words := range []*regexp.Regexp{literary, documentWords} {
			if m := words.FindString(line); m != "" {
				t.Errorf("%s:%d has %q: use a plain word", name, number, m)
			}
		}
	})
}
