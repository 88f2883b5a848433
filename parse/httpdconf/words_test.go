package httpdconf

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		``:                               nil,
		" \t":                            nil,
		`a  b` + "\t\v\fc":               {"a", "b", "c"},
		`"a b" 'c d'`:                    {"a b", "c d"},
		`"%h \"%r\"" '\'x\' "y"'`:        {`%h "%r"`, `'x' "y"`},
		`"tab \t \\t" "\'" '\"'`:         {`tab \t \t`, `\'`, `\"`},
		`a\\b a\"b a\ b`:                 {`a\b`, `a\"b`, `a\`, `b`},
		`a"b c"`:                         {`a"b`, `c"`},
		`"a"b`:                           {"a", "b"},
		`""  ''`:                         {"", ""},
		`"open`:                          {"open"},
		`"open\`:                         {`open\`},
		`"open\"`:                        {`open"`},
		`#a "x" # not a comment here`:    {"#a", "x", "#", "not", "a", "comment", "here"},
		"\"ü \xff\"":                     {"ü \xff"},
		`"|/bin/x 'a b'" "expr=1 -eq 1"`: {"|/bin/x 'a b'", "expr=1 -eq 1"},
	} {
		if got := words(line); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// FuzzRead: no configuration makes Read panic or hang, each log that it lists has one target and a
// position, and words and lines lose only the bytes that httpd drops.
func FuzzRead(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/*.conf")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range seeds {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkLines(t, text)
		if bytes.Contains(bytes.ToLower(text), []byte("include")) {
			return // a mutated path may name this machine's whole file system
		}
		path := filepath.Join(t.TempDir(), "httpd.conf")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		conf, err := Read(path, Options{})
		if err != nil {
			return
		}
		for _, l := range conf.Logs {
			targets := 0
			for _, s := range []string{l.Path, l.Pipe, l.Provider} {
				if s != "" {
					targets++
				}
			}
			if targets != 1 || l.Path != "" && !filepath.IsAbs(l.Path) || l.File == "" || l.Line < 1 || l.Format == "" {
				t.Errorf("%+v", l)
			}
		}
	})
}

// checkLines checks the invariants of the readers of lines and words.
func checkLines(t *testing.T, text []byte) {
	l := lines{rest: text}
	last := 0
	for {
		line, number, ok, err := l.next()
		if err != nil || !ok {
			break
		}
		if number <= last || strings.Trim(line, spaces) != line {
			t.Fatalf("line %d after %d: %q", number, last, line)
		}
		last = number
		quotes := strings.ContainsAny(line, `"'\`)
		if got := strings.Join(words(line), " "); !quotes && got != strings.Join(strings.FieldsFunc(line, func(r rune) bool {
			return strings.ContainsRune(spaces, r)
		}), " ") {
			t.Fatalf("words of %q: %q", line, got)
		}
		for rest := line; rest != ""; {
			_, after := word(rest)
			if !strings.HasSuffix(rest, after) || len(after) >= len(rest) {
				t.Fatalf("word of %q leaves %q", rest, after)
			}
			rest = after
		}
	}
	if physical := strings.Count(string(text), "\n") + 1; l.read > physical {
		t.Fatalf("%d lines read of %d", l.read, physical)
	}
}
