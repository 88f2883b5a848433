package httpdconf

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files under testdata")

// TestScenarios reads each directory of testdata and compares with its want.txt.
func TestScenarios(t *testing.T) {
	folders, err := filepath.Glob("testdata/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, dir := range folders {
		if filepath.Base(dir) == "fuzz" {
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			root, err := filepath.Abs(dir)
			if err != nil {
				t.Fatal(err)
			}
			conf, err := Read(mainFile(t, root), scenarioOptions(t, root))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(describe(conf), root, "$ROOT")
			got = strings.ReplaceAll(got, filepath.Dir(root)+"/", "$ROOT/../")
			golden := filepath.Join(dir, "want.txt")
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs; got:\n%s\nwant:\n%s", golden, got, want)
			}
		})
	}
}

func mainFile(t *testing.T, root string) string {
	for _, name := range []string{"httpd.conf", "apache2.conf", "conf/httpd.conf"} {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			return filepath.Join(root, name)
		}
	}
	t.Fatalf("no configuration in %s", root)
	return ""
}

// scenarioOptions reads options.json; its ServerRoot is relative to the scenario.
func scenarioOptions(t *testing.T, root string) (opts Options) {
	text, err := os.ReadFile(filepath.Join(root, "options.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return opts
	}
	if err == nil {
		err = json.Unmarshal(text, &opts)
	}
	if err != nil {
		t.Fatal(err)
	}
	if opts.ServerRoot != "" {
		opts.ServerRoot = filepath.Join(root, opts.ServerRoot)
	}
	return opts
}

// describe returns the text of a golden file: a block for each log, then the warnings.
func describe(c *Config) string {
	var b strings.Builder
	for _, l := range c.Logs {
		fmt.Fprintf(&b, "%s:%d\n", l.File, l.Line)
		for _, f := range []struct{ name, value string }{
			{"path", l.Path}, {"pipe", l.Pipe}, {"rotated", strings.Join(l.Rotated, " and ")}, {"provider", l.Provider}, {"unread", l.Unread},
			{"format", l.Format}, {"nickname", l.Nickname}, {"host", l.VirtualHost},
			{"inherited by", strings.Join(l.InheritedBy, ", ")}, {"condition", l.Condition},
		} {
			if f.value != "" {
				fmt.Fprintf(&b, "  %-12s %s\n", f.name, f.value)
			}
		}
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}
