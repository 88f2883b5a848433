package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/cluster"
)

// TestAColumnarTableInHDFSHasEveryLine tests a columnar table in HDFS, alone and in addition to
// HBase. A file that is lost there must be written again from the archive.
func TestAColumnarTableInHDFSHasEveryLine(t *testing.T) {
	t.Parallel() // runs after the sequential tests, because it waits for the shared cluster
	const lines = 20_000
	u := newHDFSUser(t, cluster.Start(t, cluster.Options{}), lines)
	table := "--table=parquet:hdfs://" + u.root + "-table"
	for range 2 { // the second run finds all lines stored
		u.sluice(0, "run", "--once", "--host", "web01", table, "--archive", u.archive, u.log)
	}
	u.holdsColumns(table, lines)
	u.hdfs("-rm", "-r", u.root+"-table/day=20260902")
	if out := u.sluice(1, "audit", table, "--archive", u.archive); !strings.Contains(out, "row missing") {
		t.Errorf("audit of a table that lost a day: %s", out)
	}
	u.sluice(0, "audit", "--repair", table, "--archive", u.archive)
	u.holdsColumns(table, lines)
	if out := u.sluice(0, "doctor", table, "--archive", u.archive); !strings.Contains(out, "table: write, compare, delete") || !strings.Contains(out, "readable, of 1 logs") {
		t.Errorf("doctor: %s", out)
	}
	// In addition to HBase, in a tree with a directory for each hour.
	if err := os.RemoveAll(filepath.Join(u.dir, "data")); err != nil {
		t.Fatal(err)
	}
	u.sluice(0, "schema", "apply", u.table)
	u.archive = "hdfs://" + u.root + "-beside/%Y%m%d/%H/%{host}"
	columnar := "parquet:hdfs://" + u.root + "-columns/day=%Y%m%d/hour=%H/host=%{host}"
	u.sluice(0, "run", "--once", "--host", "web01", u.table, "--columnar", columnar, "--archive", u.archive, u.log)
	u.audited(0, fmt.Sprintf("lines=%d ", lines), "differences=0")
	u.holdsColumns("--table="+columnar, lines)
}

// holdsColumns compares the table with log and archive.
func (u *hdfsUser) holdsColumns(table string, lines int) {
	u.t.Helper()
	if out := u.sluice(0, "scan", "--count", table); out != fmt.Sprintln(lines) {
		u.t.Errorf("%s rows, want %d", out, lines)
	}
	u.sameLines("scan", u.sluice(0, "scan", "--output", "raw", table))
	if out := u.sluice(0, "audit", table, "--archive", u.archive); !strings.Contains(out, fmt.Sprintf("rows=%d ", lines)) || !strings.Contains(out, "differences=0") {
		u.t.Errorf("audit: %s", out)
	}
}
