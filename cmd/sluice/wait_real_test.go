package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/bench/sample"
	"sluice/test/cluster"
)

// TestARunThatGivesUpHBaseLosesNothing kills the region servers under a run --once. The run must
// end after --wait, and the next one continue, so that each line is stored once.
func TestARunThatGivesUpHBaseLosesNothing(t *testing.T) {
	t.Parallel() // runs after the other tests, which do not wait for the cluster
	c := cluster.Start(t, cluster.Options{Exclusive: true})
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	var text bytes.Buffer
	if err := sample.Write(&text, 1, 5000); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	table := fmt.Sprintf("--table=hbase://%s/wait%d", c.ZooKeeper, time.Now().UnixNano())
	sluice := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		args = append([]string{"--data", filepath.Join(dir, "data"), "-q"}, args...)
		if got := run(t.Context(), args, strings.NewReader(""), &out, &errs); got != want {
			t.Fatalf("%q: status %d, want %d: %s%s", args, got, want, &out, &errs)
		}
		return out.String() + errs.String()
	}
	servers := []string{"regionserver1", "regionserver2"}
	each := func(do func(string) error) {
		t.Helper()
		for _, server := range servers {
			if err := do(server); err != nil {
				t.Fatal(err)
			}
		}
	}
	sluice(0, "schema", "apply", table, "--wait", "5m") // the master may have to be restarted
	each(c.Kill)
	for _, args := range [][]string{{"run", "--once", "--host", "web01", log}, {"scan", "--count"}, {"audit"}} {
		output := sluice(1, append(args, table, "--hbase-timeout", "2s", "--wait", "6s")...)
		for _, want := range []string{"gave up after", "hint: check that HBase runs"} {
			if !strings.Contains(output, want) {
				t.Errorf("%s: it lacks %q:\n%s", args[0], want, output)
			}
		}
	}
	each(c.StartDaemon)
	if err := c.AwaitHBase(); err != nil {
		t.Fatal(err)
	}
	sluice(0, "run", "--once", "--host", "web01", log, table, "--wait", "5m")
	if out := sluice(0, "scan", "--count", table, "--wait", "5m"); out != "5000\n" {
		t.Errorf("%s rows, want 5000", out)
	}
	if out := sluice(0, "audit", table, "--wait", "5m"); !strings.Contains(out, "lines=5000 ") || !strings.Contains(out, "differences=0") {
		t.Errorf("audit: %s", out)
	}
}
