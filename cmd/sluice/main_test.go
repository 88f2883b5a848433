package main

import (
	"bytes"
	"context"
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
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for {
		output, err := outputOf(ts, args[1], args[2:]...)
		if (err != nil) == fails && pattern.MatchString(output) {
			io.WriteString(ts.Stdout(), output) //nolint:errcheck // into memory
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s does not print %s: %v\n%s", args[1], args[0], err, output)
		}
	}
}

// outputOf returns the standard output of a command. What scripts run again and again runs in this
// process, which takes a tenth of the CPU of a new one.
func outputOf(ts *testscript.TestScript, name string, args ...string) (output string, err error) {
	var stdout, stderr bytes.Buffer
	switch {
	case name == "fetch":
		err = get(args[0], &stdout)
	case name == "sluice" && (slices.Contains(args, "status") || slices.Contains(args, "top")):
		if i := slices.Index(args, "--data"); i >= 0 {
			args = slices.Clone(args)
			args[i+1] = ts.MkAbs(args[i+1])
		} else {
			args = append([]string{"--data", ts.MkAbs("sluice-data")}, args...)
		}
		if status := run(context.Background(), args, nil, &stdout, &stderr); status != 0 {
			err = fmt.Errorf("exit status %d: %s", status, &stderr)
		}
	default:
		err = ts.Exec(name, args...)
		return ts.ReadFile("stdout"), err
	}
	return stdout.String(), err
}

// answers sends requests to a server until the response has the status, and stores the response's
// body in the file body.
//
//	answers STATUS URL
func answers(ts *testscript.TestScript, fails bool, args []string) {
	if fails {
		ts.Fatalf("! answers is not supported")
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for {
		answer, err := http.Get(args[1])
		ts.Check(err)
		body, err := io.ReadAll(answer.Body)
		ts.Check(err)
		answer.Body.Close()
		if strconv.Itoa(answer.StatusCode) == args[0] {
			ts.Check(os.WriteFile(ts.MkAbs("body"), body, 0o600))
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s: %s\n%s", args[1], answer.Status, body)
		}
	}
}

// get copies the body of a server's response to w, regardless of the status.
func get(url string, w io.Writer) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(w, answer.Body)
	return err
}

// fetch is a program that prints the body of a server's response, regardless of the status.
func fetch() {
	if err := get(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
