package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var rewriteDocs = flag.Bool("rewrite", false, "write the generated part of docs/configuration.md anew")

const (
	configurationDoc = "../../docs/configuration.md"
	generatedBegin   = "<!-- Below is generated: go test ./cmd/sluice -run TestConfiguration -rewrite -->\n"
	generatedEnd     = "<!-- Above is generated. -->\n"
	yamlFence        = "```yaml\n"
)

// grammar returns the command line parser, with those of the program's options that affect the
// documents.
func grammar(t *testing.T, c *cli, options ...kong.Option) *kong.Kong {
	t.Helper()
	k, err := kong.New(c, append(options, kong.Name("sluice"), kong.DefaultEnvars("SLUICE"),
		kong.Configuration(loadYAML), mappers(), kong.Vars{"formats": strings.Join(formatNames(), ", ")})...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestConfigurationDocNamesEveryFlag checks that docs/configuration.md has every flag of every
// command with its environment variable, YAML key and default, and nothing else. With -rewrite it
// writes the generated part.
func TestConfigurationDocNamesEveryFlag(t *testing.T) {
	text, err := os.ReadFile(configurationDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), generatedBegin)
	_, after, ok2 := strings.Cut(rest, generatedEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the markers around its generated part", configurationDoc)
	}
	want := before + generatedBegin + flagTables(grammar(t, &cli{}).Model) + generatedEnd + after
	if *rewriteDocs {
		if err := os.WriteFile(configurationDoc, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("docs/configuration.md is behind the flags: go test ./cmd/sluice -run TestConfiguration -rewrite")
	}
}

// TestConfigurationDocExampleIsTheDefaults checks that the configuration file in the document can
// be read and has the same effect as no file.
func TestConfigurationDocExampleIsTheDefaults(t *testing.T) {
	text, err := os.ReadFile(configurationDoc)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), generatedBegin)
	_, example, _ := strings.Cut(rest, yamlFence)
	example, _, ok := strings.Cut(example, "```")
	if !ok {
		t.Fatal("docs/configuration.md shows no YAML file")
	}
	with, without := parsed(t, example), parsed(t, "")
	if with != without {
		t.Errorf("with the file\n%s\nwithout\n%s", with, without)
	}
}

// TestOperationsDocConfigurationsAreRead checks that the configuration files in the operations
// documents (/etc/sluice.yaml) contain only existing flags.
func TestOperationsDocConfigurationsAreRead(t *testing.T) {
	for _, name := range []string{"install.md", "agents.md", "secured.md"} {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		shown := 0
		for _, block := range strings.Split(string(text), yamlFence)[1:] {
			if block, _, _ = strings.Cut(block, "```"); strings.HasPrefix(block, "data: ") {
				parseWith(t, block)
				shown++
			}
		}
		if shown == 0 {
			t.Errorf("docs/%s has no configuration", name)
		}
	}
}

// TestFlagsWinOverEnvironmentOverFile checks the precedence: flag, environment, file, default.
func TestFlagsWinOverEnvironmentOverFile(t *testing.T) {
	const file = "data: file\nrun:\n  level: 2\n  roll-size: 2\n  format: common\n"
	t.Setenv("SLUICE_LEVEL", "3")
	t.Setenv("SLUICE_ROLL_SIZE", "3")
	t.Setenv("SLUICE_DATA", "environment")
	got := parseWith(t, file, "--roll-size", "4")
	if got.Run.RollSize != 4 || got.Run.Level != 3 || got.Data != "environment" || got.Run.Format != "common" || got.Run.Layout != "" {
		t.Errorf("roll-size %d (want the flag's 4), level %d (the environment's 3), data %q (the environment's), format %q (the file's common), layout %q (none, the default)",
			got.Run.RollSize, got.Run.Level, got.Data, got.Run.Format, got.Run.Layout)
	}
}

func TestEnvironmentNamesTheConfigurationFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(path, []byte("run:\n  level: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLUICE_CONFIG", path)
	var c cli
	if _, err := grammar(t, &c).Parse([]string{"run", "access.log"}); err != nil {
		t.Fatal(err)
	}
	if c.Run.Level != 7 {
		t.Errorf("level %d: the file that SLUICE_CONFIG names was not read", c.Run.Level)
	}
}

// parsed returns the parsed command line of a run with the configuration file, as text.
func parsed(t *testing.T, file string) string {
	t.Helper()
	c := parseWith(t, file)
	c.Config = ""
	return fmt.Sprintf("%+v", c)
}

func parseWith(t *testing.T, file string, flags ...string) cli {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var c cli
	args := append([]string{"--config", path, "run", "access.log"}, flags...)
	if _, err := grammar(t, &c, kong.Writers(io.Discard, io.Discard)).Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

// flagTables returns a table for each command, and a YAML file for all of them.
func flagTables(app *kong.Application) string {
	var b bytes.Buffer
	b.WriteString("\n## Every command\n\n")
	flagTable(&b, app.Node)
	commands(app.Node, func(n *kong.Node) {
		fmt.Fprintf(&b, "## sluice %s\n\n%s\n\n", strings.TrimPrefix(n.Path(), "sluice "), sentence(n.Help))
		if n.Leaf() {
			fmt.Fprintf(&b, "    sluice %s\n\n", n.Summary())
		}
		for _, p := range n.Positional {
			fmt.Fprintf(&b, "`%s`: %s\n\n", p.Summary(), p.Help)
		}
		flagTable(&b, n)
	})
	b.WriteString("## A complete file\n\nWith the defaults; keys without a default are commented out.\n\n" + yamlFence)
	yamlFile(&b, app.Node, "")
	b.WriteString("```\n\n")
	return b.String()
}

// commands calls visit for every visible command below n, in the order of --help.
func commands(n *kong.Node, visit func(*kong.Node)) {
	for _, child := range n.Children {
		if !child.Hidden {
			visit(child)
			commands(child, visit)
		}
	}
}

// settable returns the flags that can be set in a file or the environment.
func settable(n *kong.Node) []*kong.Flag {
	var flags []*kong.Flag
	for _, f := range n.Flags {
		if f.Name != "help" && !f.Hidden {
			flags = append(flags, f)
		}
	}
	return flags
}

func flagTable(b *bytes.Buffer, n *kong.Node) {
	flags := settable(n)
	if len(flags) == 0 {
		return
	}
	b.WriteString("| flag | environment | default | |\n|---|---|---|---|\n")
	for _, f := range flags {
		name := "--" + f.Name
		if f.Short != 0 {
			name = fmt.Sprintf("-%c, %s", f.Short, name)
		}
		if !f.IsBool() {
			name += " " + placeHolder(f)
		}
		value := ""
		if f.HasDefault {
			value = "`" + f.Default + "`"
		}
		help := strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(f.Help)
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", strings.ReplaceAll(name, "|", "\\|"), strings.Join(f.Envs, "`, `"), value, help)
	}
	b.WriteString("\n")
}

func placeHolder(f *kong.Flag) string {
	if f.PlaceHolder != "" {
		return f.PlaceHolder
	}
	return strings.ToUpper(f.Name)
}

func sentence(help string) string {
	if help == "" || strings.HasSuffix(help, ".") {
		return help
	}
	return help + "."
}

// yamlFile writes the flags of n and of the commands below it as YAML.
func yamlFile(b *bytes.Buffer, n *kong.Node, indent string) {
	for _, f := range settable(n) {
		switch {
		case f.Name == "config": // is the path of this file
		case f.HasDefault:
			fmt.Fprintf(b, "%s%s: %s\n", indent, f.Name, yamlScalar(f.Default))
		case f.IsBool():
			fmt.Fprintf(b, "%s%s: false\n", indent, f.Name)
		case f.IsSlice():
			fmt.Fprintf(b, "%s# %s: [%s]\n", indent, f.Name, placeHolder(f))
		default:
			fmt.Fprintf(b, "%s# %s: %s\n", indent, f.Name, placeHolder(f))
		}
	}
	for _, child := range n.Children {
		if !child.Hidden && hasFlags(child) {
			fmt.Fprintf(b, "%s%s:\n", indent, child.Name)
			yamlFile(b, child, indent+"  ")
		}
	}
}

// hasFlags reports whether the YAML of the command contains a line that is not commented out. A key
// without a value would be an error in the file.
func hasFlags(n *kong.Node) bool {
	for _, f := range settable(n) {
		if f.HasDefault || f.IsBool() {
			return true
		}
	}
	for _, child := range n.Children {
		if hasFlags(child) {
			return true
		}
	}
	return false
}

// yamlScalar quotes text that YAML would not read as a plain string.
func yamlScalar(s string) string {
	if s == "" || strings.ContainsAny(s, ":#%{}[]*&!|>'\"@`,") {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return s
}
