package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bench/sample"
	"sluice/ingest/segment"
	"sluice/test/cluster"
)

// hdfsUser runs commands on a table in HBase and an archive in HDFS.
type hdfsUser struct {
	t           *testing.T
	c           *cluster.Cluster
	dir         string
	root        string // directory of the archive in HDFS
	archive     string // URL of the archive
	table       string // --table=URL
	log, logged string // the path and the text of the log
}

func newHDFSUser(t *testing.T, c *cluster.Cluster, lines int) *hdfsUser {
	t.Helper()
	now := time.Now().UnixNano()
	u := &hdfsUser{t: t, c: c, dir: t.TempDir(), root: fmt.Sprintf("/sluicetest/run%d", now), table: fmt.Sprintf("--table=hbase://%s/sluicetest:a%d", c.ZooKeeper, now)}
	u.archive, u.log = "hdfs://"+u.root+"/%Y%m%d/%{host}", filepath.Join(u.dir, "access.log")
	var text bytes.Buffer
	if err := sample.Write(&text, 1, lines); err != nil {
		t.Fatal(err)
	}
	u.logged = text.String()
	if err := os.WriteFile(u.log, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *hdfsUser) sluice(want int, args ...string) string {
	u.t.Helper()
	var out, errs bytes.Buffer
	c := command(u.t, append([]string{"--data", filepath.Join(u.dir, "data"), "-q"}, args...)...)
	c.Env = append(c.Environ(), "HADOOP_CONF_DIR="+u.c.ConfDir)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); c.ProcessState == nil || c.ProcessState.ExitCode() != want {
		u.t.Fatalf("%q: %v, want status %d: %s%s", args, err, want, out.String(), errs.String())
	}
	return out.String()
}

// hdfs runs a command of Hadoop's shell.
func (u *hdfsUser) hdfs(args ...string) string {
	u.t.Helper()
	out, err := u.c.HDFS(args...)
	if err != nil {
		u.t.Fatal(err)
	}
	return out
}

// sameLines compares got with the log without regard to order, because the archive's files are by
// day. who is the name of the reader in the message.
func (u *hdfsUser) sameLines(who, got string) {
	u.t.Helper()
	if !slices.Equal(linesOf(got), linesOf(u.logged)) {
		u.t.Errorf("%s gives %d bytes, which are not the log's %d", who, len(got), len(u.logged))
	}
}

func linesOf(text string) []string { return slices.Sorted(strings.Lines(text)) }

// audited runs an audit and checks its exit status and output.
func (u *hdfsUser) audited(want int, words ...string) {
	u.t.Helper()
	out := u.sluice(want, "audit", u.table, "--archive", u.archive)
	for _, word := range words {
		if !strings.Contains(out, word) {
			u.t.Errorf("audit does not say %q: %s", word, out)
		}
	}
}

// files copies the archive's files with Hadoop's shell and returns the paths of the copies.
func (u *hdfsUser) files() []string {
	u.t.Helper()
	u.hdfs("-get", u.root, u.dir)
	files, err := filepath.Glob(filepath.Join(u.dir, filepath.Base(u.root), "*", "*", "*.gz"))
	if err != nil || len(files) == 0 {
		u.t.Fatalf("files: %q, %v", files, err)
	}
	return files
}

func TestOneRunFillsHBaseAndHDFS(t *testing.T) {
	t.Parallel() // runs after the sequential tests, because it waits for the shared cluster
	const lines = 20_000
	u := newHDFSUser(t, cluster.Start(t, cluster.Options{}), lines)
	u.sluice(0, "schema", "apply", u.table)
	u.sluice(0, "run", "--once", "--host", "web01", u.table, "--archive", u.archive, u.log)
	u.audited(0, fmt.Sprintf("lines=%d ", lines), "differences=0")
	u.sameLines("archive cat", u.sluice(0, "archive", "cat", u.archive))
	if out := u.sluice(0, "archive", "verify", u.archive); !strings.Contains(out, fmt.Sprintf("lines=%d ", lines)) || !strings.Contains(out, "problems=0") {
		t.Errorf("verify: %s", out)
	}
	if out := u.sluice(0, "archive", "ls", u.archive); !strings.Contains(out, "web01") {
		t.Errorf("ls: %s", out)
	}
	if out := u.sluice(0, "doctor", u.table, "--archive", u.archive); !strings.Contains(out, "is active") || !strings.Contains(out, "archive: write, compare, delete") {
		t.Errorf("doctor: %s", out)
	}
	replayed := "parquet:" + filepath.Join(u.dir, "replayed")
	u.sluice(0, "run", "--from-archive", u.archive, "--table", replayed)
	if out := u.sluice(0, "scan", "--count", "--table", replayed); out != fmt.Sprintln(lines) {
		t.Errorf("%s rows of the archive, want %d", out, lines)
	}
	u.sameLines("hdfs dfs -text", u.hdfs("-text", u.root+"/*/*/*.gz"))
	files := u.files()
	plain, err := exec.Command("zcat", files...).Output()
	if err != nil {
		t.Fatal(err)
	}
	u.sameLines("zcat", string(plain))
	u.repaired(files)
}

// repaired truncates and then removes a file of the archive, and checks that an audit finds this and
// repairs it from the log.
func (u *hdfsUser) repaired(files []string) {
	t := u.t
	biggest := slices.MaxFunc(files, func(x, y string) int { return len(members(t, x)) - len(members(t, y)) })
	cut := members(t, biggest)
	if len(cut) < 2 {
		t.Fatalf("%s has %d members; the test needs several", biggest, len(cut))
	}
	short := filepath.Join(u.dir, "short.gz")
	if err := os.WriteFile(short, bytes.Join(cut[1:], nil), 0o600); err != nil {
		t.Fatal(err)
	}
	inHDFS := u.root + strings.TrimPrefix(biggest, filepath.Join(u.dir, filepath.Base(u.root)))
	u.hdfs("-put", "-f", short, inHDFS)
	u.audited(1)
	u.sluice(0, "audit", "--repair", u.table, "--archive", u.archive)
	u.audited(0, "differences=0")
	u.hdfs("-rm", "-skipTrash", inHDFS)
	u.audited(1)
	u.sluice(0, "audit", "--repair", u.table, "--archive", u.archive)
	u.audited(0, "differences=0")
	u.sameLines("archive cat after the repairs", u.sluice(0, "archive", "cat", u.archive))
}

// members returns the complete members of a segment file.
func members(t *testing.T, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for r := segment.NewReader(bytes.NewReader(b), int64(len(b))); ; {
		m, err := r.Next()
		if err != nil {
			return all
		}
		all = append(all, b[m.Offset:m.Offset+m.Bytes])
	}
}
