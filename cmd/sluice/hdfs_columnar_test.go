package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
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
	u.showsRequests(table)
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

// showsRequests asks a collector whose table is in HDFS for the page of the requests, and for its
// health afterwards.
func (u *hdfsUser) showsRequests(table string) {
	u.t.Helper()
	status := freeAddress(u.t)
	c := newFollower(u.t, "--data", filepath.Join(u.dir, "collector"), "-q", "collector", "--listen", freeAddress(u.t), "--status-listen", status, table, "--archive", u.archive)
	c.Env = append(c.Environ(), "HADOOP_CONF_DIR="+u.c.ConfDir)
	if err := c.Start(); err != nil {
		u.t.Fatal(err)
	}
	page := ""
	c.await(u.t, func() bool { // a slow machine exceeds the time limit of the page at first
		answer, err := http.Get("http://" + status + requestsPath + "?from=2001-01-01")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		page = string(b)
		h := askHealth(u.t, status)
		return err == nil && answer.StatusCode == http.StatusOK && h != nil && h.Well()
	})
	number := regexp.MustCompile("<dd>[^<]+</dd>")
	want := number.FindString(u.sluice(0, "report", table, "--from", "2001-01-01", "--output-file", "-"))
	if want == "" || number.FindString(page) != want {
		u.t.Errorf("the report has %q requests, the page: %s", want, page)
	}
	if err := c.end(u.t); err != nil {
		u.t.Errorf("%v\n%s", err, c.output(u.t))
	}
}
