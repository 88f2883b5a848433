package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// TestTheGrammarOfOneCommandParsesAsTheFullGrammar checks that the grammar of one command gives the
// same result as that of all commands, including errors and help.
func TestTheGrammarOfOneCommandParsesAsTheFullGrammar(t *testing.T) {
	t.Parallel()
	config := configFile(t, "scan:\n  status: \"404\"\nrun:\n  table: parquet:x\n")
	for _, line := range []string{
		"version", "scan --count --status 5xx", "--data scan run x.log", "--data run scan --limit 3", "-q scan --from -2h --host web1",
		"run --once a b", "run scan", "archive ls", "archive cat --day 2026-09-01", "archive", "schema apply --table x", "bench run --lines 10",
		"scan --no-such-flag", "scan extra", "nothing", "", "--data", "scan -- version", "bench-child", "table verify", "top --help", "-qh scan",
		"scan --help", "--help", "run --cpu 5 x", "scan --limit many", "--config " + config + " scan", "scan --config=" + config, "agent", "parse --follow x",
	} {
		args := strings.Fields(line)
		var out, wholeOut, output, wholeSaid bytes.Buffer
		c, k, exited, err := commandLine(args, &out, &output)
		whole, wholeK, wholeExited, wholeErr := readArgs(joinNegative(args), &wholeOut, &wholeSaid)
		if (err == nil) != (wholeErr == nil) || err != nil && err.Error() != wholeErr.Error() || exited != wholeExited || out.String() != wholeOut.String() || output.String() != wholeSaid.String() {
			t.Errorf("%q: %v, status %d, %q; with all commands %v, status %d, %q", line, err, exited, out.String(), wholeErr, wholeExited, wholeOut.String())
			continue
		}
		if err != nil || exited >= 0 {
			continue
		}
		command, _, _ := strings.Cut(k.Command(), " ")
		forget(c, command)
		forget(whole, command)
		if k.Command() != wholeK.Command() || !reflect.DeepEqual(c, whole) {
			t.Errorf("%q is %s with other values; with all commands %s", line, k.Command(), wholeK.Command())
		}
	}
	if otherCommands([]string{"scan"}) == "" || otherCommands([]string{"scan", "--help"}) != "" {
		t.Error("the grammar of one command is not used, or is used for help")
	}
}

// forget clears the defaults of all commands but the one that was parsed.
func forget(c *cli, command string) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); isCommand(f) && strings.ToLower(f.Name) != command {
			v.Field(i).SetZero()
		}
	}
}
