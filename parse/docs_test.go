package parse

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func readDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The table of docs/formats.md has every directive, with the field and the type
// that it compiles to, and no other.
func TestDocumentedDirectivesAreTheOnesThatCompile(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| `(%.*)` \\| `(.*)` \\| (\\w+) \\|$").FindAllStringSubmatch(readDoc(t), -1)
	documented := map[string]bool{}
	for _, row := range rows {
		d, _, err := readDirective(row[1])
		if err != nil {
			t.Fatal(err)
		}
		if documented[d.name+"{"+strings.ToLower(d.arg)+"}"] {
			t.Errorf("%s is there twice", row[1])
		}
		documented[d.name+"{"+strings.ToLower(d.arg)+"}"] = true
		f, err := Compile(row[1])
		if err != nil {
			t.Fatal(err)
		}
		field := f.Fields()[len(f.Fields())-1] // of %r the request itself
		if want := strings.Replace(row[2], "NAME", "name", 1); field.Name != want || field.Kind.String() != row[3] {
			t.Errorf("%s is %s, %s; the page has %s, %s", row[1], field.Name, field.Kind, row[2], row[3])
		}
	}
	for name, s := range specs {
		arg := ""
		if strings.HasSuffix(s.field, "_") {
			arg = "name"
		}
		if !documented[name+"{"+arg+"}"] {
			t.Errorf("%%%s (%s) is not documented", name, s.field)
		}
	}
	for name, s := range argSpecs {
		if !documented[name] {
			t.Errorf("%s (%s) is not documented", name, s.field)
		}
	}
}

func TestDocumentedNamesAreTheNicknames(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `(.*)` \\|$").FindAllStringSubmatch(readDoc(t), -1)
	if len(rows) != len(nicknames) {
		t.Errorf("%d names are documented, there are %d", len(rows), len(nicknames))
	}
	for _, row := range rows {
		if nicknames[row[1]] != row[2] {
			t.Errorf("%s is %q, the page has %q", row[1], nicknames[row[1]], row[2])
		}
	}
}
