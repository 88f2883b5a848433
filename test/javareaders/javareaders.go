package javareaders

import (
	"bytes"
	"embed"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

//go:embed java hive spark
var sources embed.FS

// compile compiles programs of java/ against jars, and returns the directory of their classes.
func compile(t testing.TB, jars string, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"-nowarn", "-Xlint:none", "-cp", filepath.Join(jars, "*"), "-d", dir}
	for _, name := range names {
		text, err := sources.ReadFile("java/" + name + ".java")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".java")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	run(t, exec.Command("javac", args...))
	return dir
}

// jars returns a directory with the jars of NAME/pom.xml. They are downloaded once and kept in the
// cache of the tests.
func jars(t testing.TB, name string) (dir string) {
	t.Helper()
	pom, err := sources.ReadFile(name + "/pom.xml")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(cache, "sluice-tests", fmt.Sprintf("%s-jars-%08x", name, crc32.ChecksumIEEE(pom)))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	path := filepath.Join(t.TempDir(), "pom.xml")
	if err := os.WriteFile(path, pom, 0o600); err != nil {
		t.Fatal(err)
	}
	part := fmt.Sprintf("%s.%d", dir, os.Getpid())
	run(t, exec.Command("mvn", "-q", "-B", "-f", path, "dependency:copy-dependencies", "-DoutputDirectory="+part, "-DincludeScope=runtime"))
	if err := os.Rename(part, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// need skips the test if a program is missing. With CI=true it fails.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed in CI", name)
		}
		t.Skipf("left out: no %s", name)
	}
}

// run runs a program and returns its standard output.
func run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", cmd.Path, err, lastBytes(stderr.Bytes()))
	}
	return stdout.String()
}

// maxErrorBytes is how much of a program's messages a failed test shows: Java logs a lot.
const maxErrorBytes = 8 << 10

func lastBytes(text []byte) []byte { return text[max(0, len(text)-maxErrorBytes):] }

// Row is the values of a row as text: "null", numbers in decimal, bytes in hexadecimal.
type Row []string

// parseRows parses lines of a statement's number and its values, with tabs between.
func parseRows(text string, statements int) ([][]Row, error) {
	rows := make([][]Row, statements)
	for line := range strings.Lines(text) {
		values := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		i, err := strconv.Atoi(values[0])
		if err != nil || i < 0 || i >= statements {
			return nil, fmt.Errorf("no row of one of %d statements: %q", statements, line)
		}
		rows[i] = append(rows[i], values[1:])
	}
	return rows, nil
}

// Statements returns the statements of a text as `sluice schema` prints it, without comments.
func Statements(text string) (statements []string) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			b.WriteString(line)
		}
	}
	for s := range strings.SplitSeq(b.String(), ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			statements = append(statements, s)
		}
	}
	return statements
}

// Example returns the query in the comments of a text as `sluice schema` prints it, or "".
func Example(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(strings.TrimSpace(line), "--   ")
		if !ok || b.Len() == 0 && !strings.HasPrefix(line, "SELECT") {
			continue
		}
		query, ended := strings.CutSuffix(line, ";")
		b.WriteString(query + " ")
		if ended {
			break
		}
	}
	return strings.TrimSpace(b.String())
}
