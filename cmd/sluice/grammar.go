package main

import (
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// commandLine parses the command line into a cli. exited is the exit status if kong ended the
// program itself, after --help, else -1.
//
// kong builds the flags of every command before it reads an argument, which is 8 of the 22 ms that
// a process takes to start. Therefore the line is first parsed with the grammar of only the command
// that it seems to name. If that fails, for example because the line has an error, it is parsed
// again with the grammar of all commands. Help and a configuration file, which has keys for several
// commands, always use the grammar of all commands.
func commandLine(args []string, stdout, stderr io.Writer) (c *cli, k *kong.Context, exited int, err error) {
	args = joinNegative(args)
	if others := otherCommands(args); others != "" {
		c, k, exited, err = readArgs(args, stdout, stderr, kong.IgnoreFields(others))
		if err == nil {
			return c, k, exited, nil
		}
	}
	return readArgs(args, stdout, stderr)
}

func readArgs(args []string, stdout, stderr io.Writer, more ...kong.Option) (c *cli, k *kong.Context, exited int, err error) {
	c, exited = new(cli), -1
	parser, err := kong.New(c, append(more,
		kong.Name("sluice"),
		kong.Description("Apache access logs to a table of typed rows and an archive: no line lost, none stored twice."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.Configuration(loadYAML),
		mappers(),
		kong.DefaultEnvars("SLUICE"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"formats": strings.Join(formatNames(), ", ")},
	)...)
	if err == nil {
		k, err = parser.Parse(args)
	}
	return c, k, exited, err
}

// otherCommands returns a regular expression for the fields of cli that are commands other than the
// one that args seem to name. It returns "" if all commands are needed.
func otherCommands(args []string) string {
	if os.Getenv("SLUICE_CONFIG") != "" {
		return ""
	}
	named := ""
	var others []string
	fields := reflect.TypeFor[cli]()
	for _, arg := range args {
		if strings.HasPrefix(arg, "--config") || strings.HasPrefix(arg, "--help") || strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "h") {
			return ""
		}
	}
	for _, arg := range args {
		for i := range fields.NumField() {
			if f := fields.Field(i); named == "" && isCommand(f) && strings.ToLower(f.Name) == arg {
				named = f.Name
			}
		}
	}
	if named == "" {
		return ""
	}
	for i := range fields.NumField() {
		if f := fields.Field(i); isCommand(f) && f.Name != named {
			others = append(others, f.Name)
		}
	}
	return `^cli\.(` + strings.Join(others, "|") + `)$`
}

// isCommand reports whether a field of cli is a command.
func isCommand(f reflect.StructField) bool {
	_, is := f.Tag.Lookup("cmd")
	return is
}
