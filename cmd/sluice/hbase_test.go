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

// TestARunIntoHBaseIsScannedLineByLine runs a user's commands on a real cluster: create a table,
// fill it twice, and read it.
func TestARunIntoHBaseIsScannedLineByLine(t *testing.T) {
	t.Parallel() // runs after the sequential tests, because it waits for the shared cluster
	c := cluster.Start(t, cluster.Options{})
	for _, layout := range [][]string{{"--layout=typed"}, {"--layout=typed", "--cells=status,path"}, {"--layout=packed"}, {"--layout=flume"}} {
		t.Run(strings.Join(layout, " "), func(t *testing.T) { runAndScan(t, c, layout) })
	}
}

// runAndScan compares a table in HBase with the given layout with a columnar table.
func runAndScan(t *testing.T, c *cluster.Cluster, layout []string) {
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	var text bytes.Buffer
	if err := sample.Write(&text, 1, 5000); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	table := fmt.Sprintf("--table=hbase://%s/sluicetest:run%d", c.ZooKeeper, time.Now().UnixNano())
	sluice := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), append([]string{"--data", filepath.Join(dir, "data"), "-q"}, args...), strings.NewReader(""), &out, &errs); got != want {
			t.Fatalf("%q: status %d, want %d: %s", args, got, want, errs.String())
		}
		return out.String(), errs.String()
	}
	ingest := func() []string { return append([]string{"run", "--once", "--host", "web01", log}, layout...) }
	if _, errs := sluice(2, append(ingest(), table)...); !strings.Contains(errs, "sluice schema apply") {
		t.Errorf("a missing table: %s", errs)
	}
	for _, want := range []string{"made", "there already"} {
		if out, _ := sluice(0, append([]string{"schema", "apply", table}, layout...)...); !strings.Contains(out, want) {
			t.Errorf("apply: %s", out)
		}
	}
	if _, errs := sluice(2, append([]string{"schema", "apply", table, "--ttl", "1h"}, layout...)...); !strings.Contains(errs, "TTL FOREVER, not 3600 s") {
		t.Errorf("apply of another TTL: %s", errs)
	}
	if _, errs := sluice(2, "schema", "apply", "--cells", "agent", table); !strings.Contains(errs, "not agent") {
		t.Errorf("apply of another layout: %s", errs)
	}
	for range 2 {
		sluice(0, append(ingest(), table)...)
		// Without the checkpoint, the next run stores every line again.
		if err := os.RemoveAll(filepath.Join(dir, "data", "checkpoint")); err != nil {
			t.Fatal(err)
		}
	}
	if out, _ := sluice(0, "scan", "--count", table); out != "5000\n" {
		t.Errorf("%s rows, want 5000", out)
	}
	columns := "--table=parquet:" + filepath.Join(dir, "columns")
	sluice(0, "--data", filepath.Join(dir, "other"), "run", "--once", "--host", "web01", log, columns)
	// The archive of the columnar table has the same lines.
	if out, _ := sluice(0, "--data", filepath.Join(dir, "other"), "audit", table); !strings.Contains(out, "lines=5000 ") || !strings.Contains(out, "differences=0") {
		t.Errorf("audit of HBase: %s", out)
	}
	for _, args := range [][]string{
		{"--output", "raw"}, {"--output", "raw", "--reverse", "--limit", "77"}, {"--output", "json", "--status", "5xx,404"},
		{"--where", `bytes > 5000 and not agent contains "bot" or method = "POST"`, "--output", "raw"}, {"--path", "/", "--count"},
		{"--where", `referer is null or status != 200`, "--count"}, {"--host", "web01", "--top", "status"},
	} {
		got, _ := sluice(0, append([]string{"scan", table}, args...)...)
		want, _ := sluice(0, append([]string{"scan", columns}, args...)...)
		if got != want {
			t.Errorf("scan %q: HBase %.300s\ncolumns %.300s", args, got, want)
		}
	}
}
