package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/hbase"
	"sluice/schema"
	"sluice/test/cluster"
)

// planted is a small load, in which faults are planted for the checks of the soak of bulk loads.
type planted struct {
	*testing.T
	run *bulkLoadRun
}

// The checks of the soak of bulk loads hold after a load without faults, and each fails on a fault of
// its kind: a line that is not there, a cell that differs, a file that is left, and a damaged block.
func TestTheChecksOfBulkLoadsFindPlantedFaults(t *testing.T) {
	if *soakLength == 0 {
		t.Skip("left out without -soak: Java is started some twenty times")
	}
	c := cluster.Start(t, cluster.Options{})
	layout, err := schema.NewLayout(*soakLayout)
	must(t, err)
	run, err := config{binary: build(t), cluster: c, journal: newJournal(t.Output()), dir: t.TempDir(), seed: *soakSeed, layout: layout}.bulkLoad(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, run.close()) })
	p := planted{t, run}
	p.load()
	p.hold()
	undo := p.missingLine()
	p.finds("missing", run.once.check)
	p.finds("missing", run.refilled)
	p.finds("want", run.archived.lines)
	undo()
	for _, suffix := range []string{"", "_again"} {
		undo := p.otherCell(suffix)
		p.finds("other cells", map[string]func(context.Context) error{"": run.once.check, "_again": run.refilled}[suffix])
		p.finds("differ", run.audit)
		undo()
	}
	undo = p.stagedFile("l/0123456789abcdef")
	p.finds("left in HDFS", run.tidy)
	undo()
	for _, path := range []string{filepath.Join(run.once.data, "load", "1.hfile"), filepath.Join(run.refill.data, "load", "1.staging")} {
		undo = p.localFile(path)
		p.finds("left on the local disk", run.tidy)
		undo()
	}
	undo = p.localFile(filepath.Join(run.once.data, "spool", "web01", "1.log.gz"))
	p.finds("is left", run.archived.emptySpools)
	undo()
	p.hold()
	p.damagedBlock()
	if n, err := run.countedFailures(); err != nil || n == 0 {
		t.Errorf("HBase's reader counts %d wrong checksums in a damaged file: %v", n, err)
	}
	if n, err := run.loggedFailures(); err != nil || n == 0 {
		t.Errorf("region servers logged %d wrong checksums of a damaged file: %v", n, err)
	}
	p.finds("wrong checksums", run.files)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load stores the logs that are not stored yet, and fills the second table from the archive.
func (p planted) load() {
	p.Helper()
	once, refill := p.run.once, p.run.refill
	if len(once.logs) == 0 {
		_, err := once.write(0)
		must(p, err)
	}
	for _, l := range once.logs {
		done, err := once.runFor(p.Context(), 0, once.args(l, once.url, l.path)...)
		if err != nil || !done {
			p.Fatalf("%s: done is %t, %v", l.path, done, err)
		}
	}
	if done, err := refill.runFor(p.Context(), 0, refill.args()...); err != nil || !done {
		p.Fatalf("from the archive: done is %t, %v", done, err)
	}
	if n := p.run.fellBack.Load(); n > 0 {
		p.Fatalf("rows were written with Put instead: %d messages", n)
	}
}

// hold checks that no check fails.
func (p planted) hold() {
	p.Helper()
	run := p.run
	for i, does := range []func(context.Context) error{
		run.archived.emptySpools, run.tidy, run.archived.lines, run.once.check, run.refilled, run.audit, run.files,
	} {
		if err := does(p.Context()); err != nil {
			p.Errorf("check %d without a fault: %v", i, err)
		}
	}
}

// finds checks that a check fails, with this text.
func (p planted) finds(text string, does func(context.Context) error) {
	p.Helper()
	err := does(p.Context())
	if err == nil || !strings.Contains(err.Error(), text) {
		p.Errorf("%v, want %q", err, text)
		return
	}
	p.Logf("found: %.200s", err)
}

// missingLine lets the logs have lines that were not stored; undo stores them.
func (p planted) missingLine() (undo func()) {
	p.Helper()
	_, err := p.run.once.write(2) // of the same host
	must(p, err)
	return p.load
}

// otherCell changes one byte of a cell of a table.
func (p planted) otherCell(suffix string) (undo func()) {
	p.Helper()
	url, err := hbase.ParseURL(p.run.tableURL(suffix))
	must(p, err)
	table, err := hbase.Open(p.Context(), url, hbase.Options{})
	must(p, err)
	p.Cleanup(func() { must(p, table.Close()) })
	put := func(key []byte, time int64, cells []schema.Cell) {
		p.Helper()
		var rows schema.Rows
		rows.Append(key, time, cells)
		must(p, errors.Join(table.Put(p.Context(), &rows), table.Flush(p.Context())))
	}
	for row, err := range table.Scan(p.Context(), schema.Scan{}) {
		must(p, err)
		if row.Time <= 0 {
			continue
		}
		key, time := bytes.Clone(row.Key), row.Time
		var cells, other []schema.Cell
		for _, c := range row.Cells {
			c.Value = bytes.Clone(c.Value)
			cells = append(cells, c)
			c.Value = bytes.Clone(c.Value)
			other = append(other, c)
		}
		value := other[len(other)-1].Value
		value[len(value)-1] ^= 1
		put(key, time, other)
		return func() { put(key, time, cells) }
	}
	p.Fatal("the table has no row with a time")
	return nil
}

// stagedFile makes a file in a staging directory of the table.
func (p planted) stagedFile(name string) (undo func()) {
	p.Helper()
	dir := fmt.Sprintf("/hbase/staging/planted__%s__x", p.run.name)
	for _, args := range [][]string{{"-mkdir", "-p", dir + "/l"}, {"-touchz", dir + "/" + name}} {
		_, err := p.run.cluster.HDFS(args...)
		must(p, err)
	}
	return func() {
		p.Helper()
		_, err := p.run.cluster.HDFS("-rm", "-r", dir)
		must(p, err)
	}
}

// localFile makes a file on the local disk.
func (p planted) localFile(path string) (undo func()) {
	p.Helper()
	must(p, os.MkdirAll(filepath.Dir(path), 0o700))
	must(p, os.WriteFile(path, []byte("x"), 0o600))
	return func() { p.Helper(); must(p, os.Remove(path)) }
}

// damagedBlock loads a file with one changed byte in a value, by HBase's own tool, into a table of the
// run, and lets a region server read it. Its checksums in HDFS are those of the changed bytes.
func (p planted) damagedBlock() {
	p.Helper()
	run := p.run
	const suffix = "_damaged"
	url, err := hbase.ParseURL(run.tableURL(suffix))
	must(p, err)
	admin := hbase.OpenAdmin(url, hbase.Options{})
	p.Cleanup(func() { must(p, admin.Close()) })
	_, _, err = admin.Create(p.Context(), hbase.Creation{Layout: run.layout, Compression: "NONE"})
	must(p, err)
	l := run.once.logs[0]
	other := program{binary: run.binary, data: filepath.Join(run.dir, "damaged"), output: run.output("damaged")}
	done, err := other.runFor(p.Context(), 0, "run", "--once", "--host", l.host, "--load", "bulk", "--layout", run.layout.Name, "--format", logFormat, "--table", run.tableURL(suffix), l.path)
	if err != nil || !done {
		p.Fatalf("done is %t, %v", done, err)
	}
	local := filepath.Join(run.dir, "block")
	text, at := p.loadedFile(suffix, local), 0
	if at = bytes.Index(text[len(text)/3:], []byte("HTTP/1.")); at < 0 {
		p.Fatal("no request line is in the file")
	}
	text[len(text)/3+at] ^= 1
	must(p, os.WriteFile(local, text, 0o600))
	dir := "/" + run.name + suffix
	for _, args := range [][]string{{"-mkdir", "-p", dir + "/l"}, {"-put", local, dir + "/l/damaged"}, {"-chmod", "-R", "777", dir}} {
		_, err := run.cluster.HDFS(args...)
		must(p, err)
	}
	out, err := run.cluster.Java(nil, "org.apache.hadoop.hbase.tool.BulkLoadHFilesTool", dir, run.name+suffix)
	if err != nil {
		p.Fatalf("%v: %s", err, out)
	}
	table, err := hbase.Open(p.Context(), url, hbase.Options{})
	must(p, err)
	rows := 0
	for _, err := range table.Scan(p.Context(), schema.Scan{}) {
		if rows++; err != nil {
			p.Logf("row %d: %v", rows, err)
			break
		}
	}
	must(p, table.Close())
}

// loadedFile copies a file that was loaded into a table to path, and returns its bytes.
func (p planted) loadedFile(suffix, path string) []byte {
	p.Helper()
	out, err := p.run.cluster.HDFS("-ls", "-R", "/hbase/data/default/"+p.run.name+suffix)
	must(p, err)
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if !strings.Contains(line, "_SeqId_") {
			continue
		}
		_, err := p.run.cluster.HDFS("-get", words[len(words)-1], path)
		must(p, err)
		b, err := os.ReadFile(path)
		must(p, err)
		return b
	}
	p.Fatalf("no file was loaded: %s", out)
	return nil
}
