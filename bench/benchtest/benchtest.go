// Package benchtest has what the tests of packages bench and compare share: files with logs, and
// the comparison of printed results with golden files.
package benchtest

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*.golden anew")

// File writes a log to a temporary file and returns its path.
func File(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Printed compares the output of Print with the file testdata/NAME of the tested package, which
// -rewrite replaces.
func Printed(t *testing.T, r interface{ Print(io.Writer) error }, name string) {
	t.Helper()
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("printed\n%s\nnot\n%s", b.String(), want)
	}
}
