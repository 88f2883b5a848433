package hbase_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/hbase"
	"sluice/schema"
	"sluice/table/tabletest"
	"sluice/test/cluster"
)

// After faults during writing each row that was put is in the table once, with all cells.
func TestEveryRowIsThereAfterAFault(t *testing.T) {
	type clusterFault struct {
		name   string
		happen func(*testing.T, *cluster.Cluster)
	}
	// In this order fewer servers are down when the next fault begins.
	faults := []clusterFault{
		{"both region servers are paused shortly", func(t *testing.T, c *cluster.Cluster) {
			for _, name := range []string{"regionserver1", "regionserver2"} {
				check(t, c.Pause(name))
			}
			await(t, 3*time.Second)
			for _, name := range []string{"regionserver1", "regionserver2"} {
				check(t, c.Resume(name))
			}
		}},
		{"the master is killed", func(t *testing.T, c *cluster.Cluster) {
			check(t, c.Kill("master"))
		}},
		{"a region server is killed", func(t *testing.T, c *cluster.Cluster) {
			check(t, c.Kill("regionserver1"))
		}},
		{"the meta table's server is killed", func(t *testing.T, c *cluster.Cluster) {
			meta, err := hbase.MetaServer(t.Context(), newURL(t, c))
			check(t, err)
			i := slices.Index(c.RegionServers, meta)
			if i < 0 {
				t.Fatalf("the meta table is on %s, not on one of %v", meta, c.RegionServers)
			}
			check(t, c.Kill(fmt.Sprintf("regionserver%d", i+1)))
		}},
		{"a region server is paused and taken for dead", func(t *testing.T, c *cluster.Cluster) {
			check(t, c.Pause("regionserver2"))
			t.Cleanup(func() { // a resumed server would find that its session expired, and exit
				check(t, c.Kill("regionserver2"))
				check(t, c.StartDaemon("regionserver2"))
			})
		}},
		{"ZooKeeper and a region server are killed, and ZooKeeper is started again", func(t *testing.T, c *cluster.Cluster) {
			check(t, c.Kill("zookeeper"))
			check(t, c.Kill("regionserver2"))
			check(t, c.StartDaemon("zookeeper"))
		}},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			c := cluster.Start(t, cluster.Options{Exclusive: true})
			layout := typed(t)
			u := newURL(t, c)
			table := openNew(t, u, layout, hbase.Options{Timeout: 2 * time.Second})
			writeThrough(t, table, layout, func() { fault.happen(t, c) })
			if state := table.State(); len(state) != 0 {
				t.Errorf("still retried after all is durable: %v", state)
			}
			check(t, table.Close())
		})
	}
}

// Regions move, split and merge while they are written.
func TestEveryRowIsThereWhileRegionsChange(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	layout := typed(t)
	table := newTable(t, c, layout, hbase.Options{})
	writeThrough(t, table, layout, func() {
		middle := []byte{3, 0x18, 0xd1, 0xa8, 0x4a}
		for _, change := range []error{
			hbase.Move(t.Context(), table, []byte{1}),
			hbase.Split(t.Context(), table, middle),
			hbase.Move(t.Context(), table, []byte{2}),
			hbase.Merge(t.Context(), table, []byte{5}),
			hbase.Move(t.Context(), table, middle),
		} {
			if change != nil {
				t.Error(change)
			}
		}
	})
	check(t, table.Close())
}

// openNew creates and opens a table of a cluster for tests with faults. The table is not dropped,
// because the master may be down.
func openNew(t *testing.T, u hbase.URL, layout schema.Layout, o hbase.Options) *hbase.Table {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	a := hbase.OpenAdmin(u, o)
	_, _, err := a.Create(ctx, hbase.Creation{Layout: layout})
	check(t, err)
	check(t, a.Close())
	table, err := hbase.Open(ctx, u, o)
	check(t, err)
	return table
}

// writeThrough puts rows before, during and after the fault, and checks that all are stored.
func writeThrough(t *testing.T, table *hbase.Table, layout schema.Layout, fault func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // recovery takes minutes on a busy machine
	defer cancel()
	const rows, before, after = 1000, 10, 10
	var g errgroup.Group
	over := make(chan struct{})
	log := tabletest.NewLog("web01", 1)
	blocks := 0
	put := func() {
		if err := table.Put(ctx, lines(layout, log, rows)); err != nil {
			t.Fatalf("block %d: %v", blocks, err)
		}
		blocks++
	}
	for range before {
		put()
	}
	g.Go(func() error { defer close(over); fault(); return nil })
	for during := true; during && blocks < 200; { // a change of regions may take long
		select {
		case <-over:
			during = false
		default:
			put()
		}
	}
	check(t, g.Wait())
	for range after {
		put()
	}
	if err := table.Flush(ctx); err != nil {
		t.Fatalf("%v; %v", err, table.State())
	}
	same(t, ctx, table, layout, rows*blocks)
}

// same compares the table's rows with those of the log from its beginning.
func same(t *testing.T, ctx context.Context, table *hbase.Table, layout schema.Layout, n int) {
	t.Helper()
	log := tabletest.NewLog("web01", 1)
	want := map[string]string{}
	for range n / 1000 {
		rows := lines(layout, log, 1000)
		for i := range rows.Len() {
			want[string(rows.Key(i))] = cellText(rows.Cells(i))
		}
	}
	for row, err := range table.Scan(ctx, schema.Scan{}) {
		if err != nil {
			t.Fatal(err)
		}
		text, ok := want[string(row.Key)]
		if !ok {
			t.Fatalf("row %x was not put, or is there twice", row.Key)
		}
		if got := cellText(row.Cells); got != text {
			t.Fatalf("row %x is\n%s\nwant\n%s", row.Key, got, text)
		}
		delete(want, string(row.Key))
	}
	if len(want) > 0 {
		t.Errorf("%d of %d rows are missing", len(want), n)
	}
}

func cellText(cells []schema.Cell) string {
	var b []byte
	for _, c := range cells {
		b = append(append(append(append(b, c.Qualifier...), '='), c.Value...), '\n')
	}
	return string(b)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until a daemon was in its state for some time.
func await(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
