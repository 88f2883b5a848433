package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/schema"
	"sluice/table/columnar"
)

// TestParquetOutputHasEveryLine prints logs of two formats, with lines of arbitrary bytes, to a
// file, and rebuilds the lines from its rows.
func TestParquetOutputHasEveryLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hostile := []byte("raw \xff bytes\n" + `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /\xff HTTP/1.1" 200 5 "-" "\xfe"` + "\n\n" +
		"10.0.0.1 - - [17/May/2015:10:05:03 +0000] \"GET /\xff HTTP/1.1\" 200 5 \"-\" \"\\\\xfe\"\n")
	access, err := os.ReadFile("../../testdata/logs/access.log")
	if err != nil {
		t.Fatal(err)
	}
	common := []byte(`10.0.0.4 - - [17/May/2015:10:05:03 +0000] "GET /d HTTP/1.1" 200 5` + "\n")
	var paths []string
	for name, data := range map[string][]byte{"a.log": append(hostile, access...), "b.log": common} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	out := filepath.Join(dir, "out.parquet")
	if output, err := command(t, append([]string{"parse", "--output", "parquet", "--output-file", out}, paths...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, err := columnar.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		path   string
		offset int64
		text   string
	}
	var got, want []line
	var b columnar.Batch
	for g := range file.Groups() {
		if err := file.Read(g, nil, &b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			var e schema.Entry
			if err := b.Entry(i, &e); err != nil {
				t.Fatal(err)
			}
			got = append(got, line{e.Stream.Path, e.Offset, string(e.Record.Line)})
		}
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := int64(0)
		for text := range bytes.Lines(data) {
			want = append(want, line{path, at, string(bytes.TrimSuffix(text, []byte("\n")))})
			at += int64(len(text))
		}
	}
	order := func(a, b line) int {
		return slices.Compare([]string{a.path, a.text, string(rune(a.offset))}, []string{b.path, b.text, string(rune(b.offset))})
	}
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
}

// TestBinaryOutputIsNotForATerminal checks that binary output to a terminal is rejected with a
// hint, and that following the hint works.
func TestBinaryOutputIsNotForATerminal(t *testing.T) {
	for _, output := range []string{"avro", "parquet"} {
		screen, tty := terminal(t, 80, 24)
		c := command(t, "parse", "--output", output, "../../testdata/logs/access.log")
		c.Stdout = tty
		var stderr bytes.Buffer
		c.Stderr = &stderr
		err := c.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(stderr.String(), "--output-file FILE") {
			t.Errorf("%s: %v: %s", output, err, &stderr)
		}
		fmt.Fprint(tty, "the end")
		shown := make([]byte, 1000)
		n, err := screen.Read(shown)
		if err != nil || string(shown[:n]) != "the end" {
			t.Errorf("%s: the terminal has %q, %v", output, shown[:n], err)
		}
		c = command(t, "parse", "--output", output, "--output-file", filepath.Join(t.TempDir(), "out"), "../../testdata/logs/access.log")
		c.Stdout = tty
		if err := c.Run(); err != nil {
			t.Errorf("%s into a file: %v", output, err)
		}
		tty.Close()
	}
}
