package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this binary be sluice itself, in scripts and for kill -9.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": main, "fetch": fetch})
}

// TestScripts runs testdata/script: sluice as its users type it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Condition:           condition,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"until": until, "answers": answers},
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"COLLECTOR", "STATUS", "AGENT"} { // addresses that are free
				env.Setenv(name, freeAddress(t))
			}
			env.Setenv("SLUICE_SPOOL_MAX", "256") // a disk with less room is an error in /health
			log, err := os.ReadFile("../../testdata/logs/access.log")
			if err != nil {
				return err
			}
			return os.WriteFile(env.WorkDir+"/access.log", log, 0o600)
		},
	})
}

// condition is what a script may ask for: [root], and [fuse], that a file system can be
// mounted by FUSE.
func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "fuse":
		f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err != nil {
			return false, nil
		}
		return true, f.Close()
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// until runs a command again and again, until what it prints matches: a process
// in the background comes to it in its own time. ! until waits for a command that
// also fails.
//
//	until PATTERN COMMAND ...
func until(ts *testscript.TestScript, fails bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if (err != nil) == fails && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s does not print %s: %v", args[1], args[0], err)
		}
	}
}

// answers asks a server, fails unless it answers with the status, and leaves what it
// says in the file body.
//
//	answers STATUS URL
func answers(ts *testscript.TestScript, fails bool, args []string) {
	answer, err := http.Get(args[1])
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("body"), body, 0o600))
	if (strconv.Itoa(answer.StatusCode) == args[0]) == fails {
		ts.Fatalf("%s: %s", args[1], answer.Status)
	}
}

// fetch is a program that prints what a server says, whatever its status.
func fetch() {
	answer, err := http.Get(os.Args[1])
	if err == nil {
		_, err = io.Copy(os.Stdout, answer.Body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
