package checks

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/doctor"
	"sluice/hbase"
	"sluice/schema"
	"sluice/table/tabletest"
	"sluice/test/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTable creates a table with some lines.
func newTable(t *testing.T, c *cluster.Cluster, layoutName string) (hbase.URL, schema.Layout) {
	t.Helper()
	u, err := hbase.ParseURL(fmt.Sprintf("hbase://%s/t%d", c.ZooKeeper, time.Now().UnixNano()))
	check(t, err)
	layout, err := schema.NewLayout(layoutName)
	check(t, err)
	a := hbase.OpenAdmin(u, hbase.Options{})
	_, _, err = a.Create(t.Context(), hbase.Creation{Layout: layout})
	check(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		check(t, a.Drop(ctx))
		check(t, a.Close())
	})
	table, err := hbase.Open(t.Context(), u, hbase.Options{})
	check(t, err)
	log := tabletest.NewLog("web01", 1)
	var rows schema.Rows
	e := layout.NewRowEncoder(&log.Stream, tabletest.Fields)
	for range lines {
		record, offset := log.Next()
		record.Line = append([]byte(nil), record.Line...)
		e.Append(&rows, offset, record)
	}
	check(t, table.Put(t.Context(), &rows))
	rows = schema.Rows{}
	layout.AppendStream(&rows, &schema.StreamEntry{Stream: log.Stream})
	check(t, table.Put(t.Context(), &rows))
	check(t, table.Flush(t.Context()))
	check(t, table.Close())
	return u, layout
}

const lines = 50

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// examine runs all steps and returns a line for each.
func examine(t *testing.T, u hbase.URL, o hbase.Options) (text string, failed int) {
	t.Helper()
	var b strings.Builder
	r := &doctor.Report{Show: func(s doctor.Result) {
		fmt.Fprintf(&b, "%s %s: %s\n", s.Status, s.Step, s.Text)
	}}
	check(t, Run(t.Context(), Subject{URL: u, Options: o}, r))
	t.Logf("\n%s", b.String())
	return b.String(), r.Failed()
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it lacks %q:\n%s", part, text)
		}
	}
}

func TestAHealthyClusterPassesEveryCheck(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	for name, rows := range map[string]int{schema.LayoutTyped: 2, schema.LayoutFlume: 1} {
		u, layout := newTable(t, c, name)
		text, failed := examine(t, u, hbase.Options{Layout: &layout})
		if failed != 0 || strings.Contains(text, "skipped") || strings.Count(text, "ok row on ") != rows || strings.Count(text, "ok clock of ") != rows {
			t.Errorf("%s: %d failed:\n%s", name, failed, text)
		}
		wants(t, text, "ok zookeeper "+c.ZooKeeper+": standalone; a temporary node was made", "ok master "+c.Master+": HBase 2.", "region servers: 2",
			"ok region server "+c.RegionServers[0], "ok region server "+c.RegionServers[1], "layout "+name, "all open; ")
		masters, err := hbase.ParseURL("hbase+rpc://" + c.Master + "/" + u.Table)
		check(t, err)
		if _, failed := examine(t, masters, hbase.Options{}); failed != 0 {
			t.Errorf("%s: by the masters %d failed", name, failed)
		}
		seesOnlyItsLines(t, u, layout)
	}
}

// seesOnlyItsLines checks that the doctor's row is in no scan and in no directory, and is deleted even
// if the checks were interrupted.
func seesOnlyItsLines(t *testing.T, u hbase.URL, layout schema.Layout) {
	t.Helper()
	e := &examination{Subject: Subject{URL: u}, layout: layout}
	e.open()
	regions, err := e.cluster.Assignments(t.Context(), u.Table)
	check(t, err)
	var probes []*probe
	for i, key := range layout.SpareKeys() {
		for _, a := range regions {
			if a.Has(key) {
				probes = append(probes, &probe{examination: e, region: a.Region, key: key, qualifier: fmt.Sprint("doctor-", i)})
			}
		}
	}
	for _, p := range probes {
		check(t, p.mutate(t.Context(), mutationPut))
	}
	table, err := hbase.Open(t.Context(), u, hbase.Options{})
	check(t, err)
	for _, s := range []schema.Scan{{}, {Reverse: true}, {To: 1}, {From: 1}} {
		n := 0
		for row, err := range table.Scan(t.Context(), s) {
			check(t, err)
			if _, ok := row.Cell("logbody"); !ok {
				t.Errorf("%s: scan %+v shows the row %x", layout.Name, s, row.Key)
			}
			n++
		}
		if s.From == 0 && s.To == 0 && n != lines {
			t.Errorf("%s: %d rows, want %d", layout.Name, n, lines)
		}
	}
	if streams, err := table.Streams(t.Context()); err != nil || len(streams) != 1 {
		t.Errorf("%s: %d streams, %v", layout.Name, len(streams), err)
	}
	check(t, table.Close())
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, p := range probes {
		if _, err := p.run(interrupted); err == nil {
			t.Error("an interrupted examination returned no error")
		}
		if cell, err := p.get(t.Context()); err != nil || cell != nil {
			t.Errorf("%s: %x is left, %v", layout.Name, p.key, err)
		}
	}
	check(t, e.cluster.Close())
}

func TestProblemsAreReported(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	u, _ := newTable(t, c, schema.LayoutTyped)
	o := hbase.Options{Timeout: 10 * time.Second}
	with := func(text string) hbase.URL {
		t.Helper()
		u, err := hbase.ParseURL(text)
		check(t, err)
		return u
	}
	text, failed := examine(t, with("hbase://"+c.ZooKeeper+",127.0.0.1:1/"+u.Table), o)
	if failed != 1 {
		t.Errorf("one server of ZooKeeper's is missing: %d failed", failed)
	}
	wants(t, text, "FAILED zookeeper 127.0.0.1:1: ", "connection refused", "ok row on")

	text, failed = examine(t, with("hbase://"+c.ZooKeeper+"/nothere/"+u.Table), o)
	if failed != 2 {
		t.Errorf("another node: %d failed", failed)
	}
	wants(t, text, "has no node /nothere", "zookeeper.znode.parent", "FAILED cluster", "skipped row")

	text, failed = examine(t, with("hbase://"+c.ZooKeeper+"/none"), o)
	if failed != 1 {
		t.Errorf("no table: %d failed", failed)
	}
	wants(t, text, "FAILED table none", "the table does not exist", "skipped regions", "skipped row")

	flume, err := schema.NewLayout(schema.LayoutFlume)
	check(t, err)
	o.Layout = &flume
	text, failed = examine(t, u, o)
	if failed != 1 {
		t.Errorf("another layout: %d failed", failed)
	}
	wants(t, text, "FAILED table", "layout typed, not flume")
}

// A server that hangs accepts connections. The checks name it, and skip the steps that need it. A
// healthy server may need longer than the first time limits on a busy
// machine, and the last one is longer than the session that a server that hangs may have.
func TestAServerThatHangsIsNamed(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Exclusive: true})
	u, _ := newTable(t, c, schema.LayoutTyped)
	var text string
	var failed int
	for _, limit := range []time.Duration{time.Second, 3 * time.Second, 20 * time.Second} {
		check(t, c.Pause("regionserver2"))
		text, failed = examine(t, u, hbase.Options{Timeout: limit})
		check(t, c.Resume("regionserver2"))
		if strings.Contains(text, "ok region server "+c.RegionServers[0]) {
			break
		}
	}
	if failed == 0 {
		t.Error("nothing failed")
	}
	wants(t, text, "FAILED region server "+c.RegionServers[1]+": "+c.RegionServers[1]+": connection lost: the server does not answer", "ok region server "+c.RegionServers[0])
}
