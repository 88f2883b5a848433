package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this binary run as sluice in scripts and in tests that kill the process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": main, "fetch": fetch})
}

// notShort skips a test with -short (make quick), for a reason such as the processes that it starts.
func notShort(t testing.TB, reason string) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: " + reason)
	}
}

// TestScripts runs the scripts in testdata/script, which call sluice as its users do. With the race
// detector it runs those with a process in the background; make plain runs all.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if raceDetector {
		scripts = slices.DeleteFunc(scripts, func(path string) bool {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return !bytes.Contains(text, []byte("&\n"))
		})
	}
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		RequireExplicitExec: true,
		Condition:           condition,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"until": until, "answers": answers},
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"COLLECTOR", "STATUS", "AGENT"} { // free addresses
				env.Setenv(name, freeAddress(t))
			}
			// /health reports ERROR if the disk has less space than this.
			env.Setenv("SLUICE_SPOOL_MAX", "256")
			log, err := os.ReadFile("../../testdata/logs/access.log")
			if err != nil {
				return err
			}
			return os.WriteFile(env.WorkDir+"/access.log", log, 0o600)
		},
	})
}

// condition implements the conditions of scripts: [root], and [fuse], which is true if file systems
// can be mounted with FUSE.
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

// until runs a command repeatedly until its output matches the pattern, to wait for a process in
// the background. `! until` waits for a command that also fails.
//
//	until PATTERN COMMAND ...
func until(ts *testscript.TestScript, fails bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	interval := 100 * time.Millisecond
	if raceDetector { // the start of a process takes half a second
		interval = time.Second
	}
	tick := time.NewTicker(interval)
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

// answers sends a request to a server, fails unless the response has the status, and stores the
// response's body in the file body.
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

// fetch is a program that prints the body of a server's response, regardless of the status.
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
