package hbase_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/hbase"
	"sluice/schema"
	"sluice/table/tabletest"
	"sluice/test/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tables numbers the tables of a process; the time distinguishes processes.
var tables atomic.Int64

// newURL returns the URL of a table that does not exist.
func newURL(t testing.TB, c *cluster.Cluster) hbase.URL {
	t.Helper()
	u, err := hbase.ParseURL(fmt.Sprintf("hbase://%s/t%d_%d", c.ZooKeeper, time.Now().UnixNano(), tables.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// newTable creates a table, which is dropped at the end of the test.
func newTable(t testing.TB, c *cluster.Cluster, layout schema.Layout, o hbase.Options) *hbase.Table {
	t.Helper()
	u := newURL(t, c)
	a := hbase.OpenAdmin(u, o)
	if _, made, err := a.Create(t.Context(), hbase.Creation{Layout: layout}); err != nil || !made {
		t.Fatalf("create: made is %v, %v", made, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		if err := a.Drop(ctx); err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	o.Layout = &layout
	table, err := hbase.Open(t.Context(), u, o)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestContractOnARealCluster(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	tabletest.Run(t, func(t *testing.T, layout schema.Layout) tabletest.Table {
		// The order over many regions is the client's work: TestContract tests it with as many. Servers
		// need minutes of the CPU for all of these tests, so here is one, over rows in all regions.
		if layout.Salts > 100 && !strings.HasSuffix(t.Name(), "rows_of_one_time_stand_by_stream_and_offset") {
			t.Skip("TestContract tests it with this number of regions")
		}
		return newTable(t, c, layout, hbase.Options{})
	})
}

// Masters locate all regions, without ZooKeeper.
func TestMastersAreARegistry(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	layout := typed(t)
	table := newTable(t, c, layout, hbase.Options{})
	log := tabletest.NewLog("web01", 1)
	if err := table.Put(t.Context(), lines(layout, log, 500)); err != nil {
		t.Fatal(err)
	}
	if err := table.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	u, err := hbase.ParseURL("hbase+rpc://" + c.Master + "/" + hbase.Name(table))
	if err != nil {
		t.Fatal(err)
	}
	other, err := hbase.Open(t.Context(), u, hbase.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, other, schema.Scan{}); n != 500 {
		t.Errorf("%d rows, want 500", n)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := table.Close(); err != nil {
		t.Error(err)
	}
}

func TestCellsMayBeCompressedOnTheNetwork(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	layout := typed(t)
	table := newTable(t, c, layout, hbase.Options{Snappy: true})
	log := tabletest.NewLog("web01", 1)
	for range 10 {
		check(t, table.Put(t.Context(), lines(layout, log, 2000)))
	}
	check(t, table.Flush(t.Context()))
	same(t, t.Context(), table, layout, 20_000)
	check(t, table.Close())
}

func TestATableKeepsItsLayout(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	u := newURL(t, c)
	u.Table = "sluicetest:" + u.Table
	a := hbase.OpenAdmin(u, hbase.Options{})
	if _, err := hbase.Open(t.Context(), u, hbase.Options{}); !errors.Is(err, hbase.ErrTableNotFound) {
		t.Errorf("a missing table: %v", err)
	}
	layout := typed(t)
	layout.Salts = 3
	for _, made := range []bool{true, false} { // the second time it exists
		if _, m, err := a.Create(t.Context(), hbase.Creation{Layout: layout, TTL: time.Hour}); err != nil || m != made {
			t.Fatalf("create: made is %v, %v", m, err)
		}
	}
	other := typed(t)
	_, _, err := a.Create(t.Context(), hbase.Creation{Layout: other})
	if err == nil || !strings.Contains(err.Error(), "salts 3, not 8") {
		t.Errorf("create with another layout: %v", err)
	}
	if _, err := hbase.Open(t.Context(), u, hbase.Options{Layout: &other}); err == nil || !strings.Contains(err.Error(), "salts 3, not 8") {
		t.Errorf("open with another layout: %v", err)
	}
	if got, err := a.Layout(t.Context()); err != nil || !got.Equal(layout) {
		t.Errorf("layout %+v, %v", got, err)
	}
	if err := a.Drop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func typed(t testing.TB) schema.Layout {
	t.Helper()
	l, err := schema.NewLayout(schema.LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lines returns the log's next n lines as rows that own their bytes.
func lines(layout schema.Layout, log *tabletest.Log, n int) *schema.Rows {
	var rows schema.Rows
	e := layout.NewRowEncoder(&log.Stream, tabletest.Fields)
	for range n {
		rec, offset := log.Next()
		rec.Line = append([]byte(nil), rec.Line...)
		e.Append(&rows, offset, rec)
	}
	return &rows
}

func count(t testing.TB, table *hbase.Table, s schema.Scan) int {
	t.Helper()
	n := 0
	for _, err := range table.Scan(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
