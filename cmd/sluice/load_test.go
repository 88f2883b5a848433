package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bench/sample"
	"sluice/hbase"
	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/ingest/segment/vfs"
	"sluice/schema"
	"sluice/test/cluster"
)

// loadRig is a log, and a table with a collector that loads files.
type loadRig struct {
	*testing.T
	cluster            *cluster.Cluster
	dir, log, table    string
	want               []byte // the log's lines, sorted
	name, layout, data string
}

func newLoadRig(t *testing.T, c *cluster.Cluster, layout string, lines int) *loadRig {
	r := &loadRig{T: t, cluster: c, dir: t.TempDir(), layout: "--layout=" + layout, name: fmt.Sprintf("load%s%d", layout, time.Now().UnixNano())}
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir)
	r.log, r.data = filepath.Join(r.dir, "access.log"), filepath.Join(r.dir, "data")
	r.table = fmt.Sprintf("--table=hbase://%s/sluicetest:%s", c.ZooKeeper, r.name)
	var text bytes.Buffer
	if err := errors.Join(sample.Write(&text, 1, lines), os.WriteFile(r.log, text.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	r.want = sorted(text.Bytes())
	r.sluice("schema", "apply", r.table, r.layout)
	return r
}

// sluice runs a command to its end, and returns what it printed.
func (r *loadRig) sluice(args ...string) string {
	r.Helper()
	var out, errs bytes.Buffer
	if code := run(r.Context(), append([]string{"--data", r.data, "-q"}, args...), strings.NewReader(""), &out, &errs); code != 0 {
		r.Fatalf("%q: status %d: %s%s", args, code, &out, &errs)
	}
	if strings.Contains(errs.String(), "bulk load") {
		r.Errorf("%q: %s", args, &errs)
	}
	return out.String()
}

// holds checks that archive and table have the log's lines, cell by cell, and that no file is left.
func (r *loadRig) holds() {
	r.Helper()
	if out := r.sluice("audit", r.table); !strings.Contains(out, "differences=0") {
		r.Errorf("audit: %s", out)
	}
	if got := sorted([]byte(r.sluice("scan", "--output", "raw", r.table))); !bytes.Equal(got, r.want) {
		r.Errorf("the table has %d bytes of lines, the log %d", len(got), len(r.want))
	}
	if left := r.files("*.*"); len(left) > 0 {
		r.Errorf("left on the local disk: %v", left)
	}
}

func (r *loadRig) files(pattern string) []string {
	names, err := filepath.Glob(filepath.Join(r.data, "load", pattern))
	if err != nil {
		r.Fatal(err)
	}
	return names
}

// stagingIsEmpty checks that HBase's file system has nothing of these tables any more.
func stagingIsEmpty(t *testing.T, c *cluster.Cluster, rigs ...*loadRig) {
	t.Helper()
	out, err := c.HDFS("-ls", "-R", "/hbase/staging")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rigs {
		for line := range strings.Lines(out) {
			if strings.Contains(line, r.name) {
				t.Errorf("left in HDFS: %s", line)
			}
		}
	}
}

// moments are those at which a run is killed, after it has recorded its staging directory.
func (r *loadRig) moments() map[string]func() bool {
	most, begun := 0, false
	return map[string]func() bool{
		"a staging directory was made": func() bool { return true },
		"rows are being sorted":        func() bool { return len(r.files("*.hfile")) > 0 },
		"some files are loaded": func() bool {
			n := len(r.files("*.hfile"))
			most = max(most, n)
			return n < most
		},
		"all files are loaded": func() bool {
			n := len(r.files("*.hfile"))
			begun = begun || n > 0
			return begun && n == 0
		},
	}
}

// killWhen runs a command until the moment, and kills it. It reports false if the run ended before.
//
// Files of a killed run are there when the next one starts, so the moment is not asked before this
// run has recorded its own staging directory: what a kill before that leaves is not removed
// (docs/bulkload.md).
func (r *loadRig) killWhen(moment func() bool, args ...string) bool {
	r.Helper()
	earlier := r.files("*.staging")
	recorded := func() bool {
		return slices.ContainsFunc(r.files("*.staging"), func(name string) bool {
			info, err := os.Stat(name)
			return err == nil && info.Size() > 0 && !slices.Contains(earlier, name)
		})
	}
	waits := true
	c := command(r.T, append([]string{"--data", r.data, "-q"}, args...)...)
	var text bytes.Buffer
	c.Stdout, c.Stderr = &text, &text
	if err := c.Start(); err != nil {
		r.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				r.Fatalf("%v: %s", err, &text)
			}
			return false
		case <-tick.C:
			if waits = waits && !recorded(); !waits && moment() {
				_ = c.Process.Kill() // it may have ended by itself
				err := <-ended
				return errors.As(err, new(*exec.ExitError))
			}
		}
	}
}

// A run that loads files is killed at each of its steps, and regions are split and moved meanwhile;
// then a table is filled from the archive.
func TestARunThatLoadsFilesStoresEveryLineOnceWhateverIsKilled(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	var all []*loadRig
	for _, layout := range []string{"typed", "packed"} {
		r := newLoadRig(t, c, layout, 40_000)
		all = append(all, r)
		killed := 0
		for what, moment := range r.moments() {
			if r.killWhen(moment, "run", "--once", "--host", "web01", "--load", "bulk", r.layout, r.table, r.log) {
				killed++
				r.splitAndMove(killed)
				continue
			}
			t.Logf("%s: the run ended before it was killed when %s", layout, what)
			if err := os.RemoveAll(r.data); err != nil { // every line again: the same rows
				t.Fatal(err)
			}
		}
		if killed == 0 {
			t.Error("no run was killed")
		}
		r.sluice("run", "--once", "--host", "web01", "--load", "bulk", r.layout, r.table, r.log)
		r.holds()
		r.table += "again"
		r.sluice("schema", "apply", r.table, r.layout)
		r.sluice("run", "--load", "bulk", "--from-archive", "dir:"+filepath.Join(r.data, "archive/%Y%m%d/%{host}"), r.table, r.layout)
		r.holds()
	}
	stagingIsEmpty(t, c, all...)
}

// A repair of a table that lacks all rows loads files, and is killed at each of its steps.
func TestARepairThatLoadsFilesStoresEveryRowOnceWhateverIsKilled(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	r := newLoadRig(t, c, "packed", 10_000)
	r.sluice("run", "--once", "--host", "web01", r.log)
	repair := []string{"audit", "--repair", "--load", "bulk", r.table}
	killed := 0
	for _, moment := range r.moments() {
		if r.killWhen(moment, repair...) {
			killed++
		}
	}
	if killed == 0 {
		t.Error("no repair was killed")
	}
	r.sluice(repair...)
	r.holds()
	stagingIsEmpty(t, c, r)
}

// splitAndMove splits the region of a salt, and moves one of its parts.
func (r *loadRig) splitAndMove(salt int) {
	r.Helper()
	u, err := hbase.ParseURL(strings.TrimPrefix(r.table, "--table="))
	if err != nil {
		r.Fatal(err)
	}
	admin := hbase.OpenAdmin(u, hbase.Options{})
	defer admin.Close()
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Minute)
	defer cancel()
	start := time.Date(2026, time.September, 2, 21, 55, 10, 0, time.UTC) // ten seconds into the log
	middle := binary.BigEndian.AppendUint64([]byte{byte(salt)}, uint64(start.UnixNano()))
	if err := errors.Join(admin.Split(ctx, middle), admin.Move(ctx, middle)); err != nil {
		r.Log(err)
	}
}

func TestABulkLoadThatCannotBeIsRefused(t *testing.T) {
	for _, c := range []struct {
		onHBase, ends bool
		want          string
	}{{false, true, "for a table in HBase"}, {true, false, "--once, --from-archive and --repair"}, {true, true, ""}} {
		err := loadFlags{Load: loadBulk}.check(c.onHBase, c.ends)
		if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) {
			t.Errorf("on HBase %t, ends %t: %v, want %q", c.onHBase, c.ends, err, c.want)
		}
		for _, other := range []string{loadAuto, loadPut} {
			if err := (loadFlags{Load: other}).check(c.onHBase, c.ends); err != nil {
				t.Errorf("%s: %v", other, err)
			}
		}
	}
}

// auto counts what is expected, or what was put.
func TestAutoLoadsFilesIfThereIsEnoughForEachRegion(t *testing.T) {
	const enough = 8 * 16 << 20
	for _, c := range []struct {
		load       string
		replicated bool
		bytes      int64
		want       bool
	}{
		{loadAuto, false, enough, true}, {loadAuto, false, enough - 1, false}, {loadBulk, false, 0, true},
		{loadAuto, true, enough, false}, {loadBulk, true, 0, true},
	} {
		tables := &hbaseTables{log: slog.New(slog.DiscardHandler)}
		x := &loadedTable{load: c.load, regions: 8, replicated: c.replicated, tables: tables}
		if got := x.expect(c.bytes); got != c.want {
			t.Errorf("%s, replicated %t, %d bytes expected: %t", c.load, c.replicated, c.bytes, got)
		}
	}
	x := &loadedTable{load: loadAuto, regions: 8}
	var rows schema.Rows
	rows.Append([]byte("key"), 1, []schema.Cell{{Qualifier: "line", Value: make([]byte, enough/4-1)}})
	for range 4 {
		if err := x.decide(t.Context(), &rows); err != nil || x.pays() {
			t.Fatalf("%d bytes were put: %t, %v", x.put, x.pays(), err)
		}
	}
	if x.put += 4; !x.pays() {
		t.Errorf("%d bytes were put, and files are not loaded", x.put)
	}
}

// Bytes that are stored already do not count.
func TestTheSizeOfALoadIsThatOfTheLinesThatAreNotStored(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	if err := os.WriteFile(path, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	saved, err := checkpoint.Open(vfs.OS{}, filepath.Join(dir, "checkpoint"), "collector")
	if err != nil {
		t.Fatal(err)
	}
	id := logfile.ID{Device: 1, Inode: 2}
	logs := []logfile.Log{{Path: path, ID: id}, {Path: filepath.Join(dir, "absent")}}
	if n := unread(logs, saved); n != 1000 {
		t.Errorf("%d bytes of a new log", n)
	}
	packed := filepath.Join(dir, "access.log.2.gz")
	var text bytes.Buffer
	z := gzip.NewWriter(&text)
	_, err = z.Write(bytes.Repeat([]byte("line\n"), 2000))
	if err := errors.Join(err, z.Close(), os.WriteFile(packed, append(text.Bytes(), make([]byte, 1000-text.Len())...), 0o600)); err != nil {
		t.Fatal(err)
	}
	compressed, err := logfile.Look(packed)
	if err != nil {
		t.Fatal(err)
	}
	if n := unread([]logfile.Log{compressed}, saved); n != 1000*compressionRatio {
		t.Errorf("%d bytes of a new compressed log", n)
	}
	half := saved.Logs.Add(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: packed}}, checkpoint.Log{Path: packed, ID: compressed.ID, Start: []byte("line\n")})
	saved.Update(func() { half.Stored = 3000 })
	if n := unread([]logfile.Log{compressed}, saved); n != 0 {
		t.Errorf("%d bytes of a compressed log that is stored, or a part of it", n)
	}
	stream := saved.Logs.Add(schema.StreamEntry{Stream: schema.Stream{Host: "web01", Path: path}}, checkpoint.Log{Path: path, ID: id, Start: []byte("line\n")})
	saved.Update(func() { stream.Stored = 400 })
	if n := unread(logs, saved); n != 600 {
		t.Errorf("%d bytes of a log of which 400 are stored", n)
	}
}
