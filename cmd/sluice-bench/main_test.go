package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain runs the test binary as a child of tail if its arguments say so: children are this
// program started again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		main()
	}
	os.Exit(m.Run())
}

func TestWrongUseIsReportedBeforeAnythingRuns(t *testing.T) {
	for args, want := range map[string]string{
		"nonsense":                           "unexpected argument nonsense",
		"tail --readers fastest":             `"fastest" is no reader`,
		"web --beside fastest":               `"fastest" cannot run beside a web server`,
		"hbase --clients fastest":            `no client is called "fastest"`,
		"load --clients fastest":             `no client is called "fastest"`,
		"hbase --layouts fastest":            "fastest",
		"hbase --format %Q":                  "not a LogFormat",
		"hbase missing.log":                  "missing.log: no such file",
		"path --lines 0":                     "--lines must be at least 1",
		"path --hosts 0":                     "--hosts must be at least 1",
		"--rounds 0 tail":                    "--rounds must be at least 1",
		"hog":                                "hint: build it with go build ./cmd/sluice",
		"--dir missing/dir tail --window 1s": "--dir: ",
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), strings.NewReader(""), &out, &errs); code != 2 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: status %d, %q; want 2 and %q", args, code, errs.String(), want)
		}
	}
}

// TestTailMeasuresReadersInProcessesOfTheirOwn runs a short measurement of sluice with the
// processes that a complete one has.
func TestTailMeasuresReadersInProcessesOfTheirOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it measures for some seconds")
	}
	var out, errs bytes.Buffer
	args := []string{"--rounds", "1", "--dir", t.TempDir(), "tail", "--files", "4", "--busy", "4", "--rate", "200", "--warm", "200ms", "--window", "500ms", "--readers", "sluice-200ms"}
	if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("status %d: %s", code, errs.String())
	}
	if !strings.Contains(out.String(), "right (bytes)") {
		t.Errorf("every byte was to be checked:\n%s", out.String())
	}
}

// TestSluiceLinksNoOtherReader checks that sluice does not contain the programs that it is compared
// with.
func TestSluiceLinksNoOtherReader(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "sluice/cmd/sluice")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		if strings.HasPrefix(dep, "github.com/nxadm/tail") || strings.HasPrefix(dep, "sluice/bench/compare") || strings.HasPrefix(dep, "sluice/bench/peers") {
			t.Errorf("cmd/sluice links %s", dep)
		}
	}
}
