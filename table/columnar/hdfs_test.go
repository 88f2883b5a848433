package columnar_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/hdfs"
	"sluice/schema"
	"sluice/table/columnar"
	"sluice/test/cluster"
)

// TestTheTableInHDFS checks on HDFS what other tests check in a local directory: each line is read
// once and in order, before and after files are merged, and when merging is interrupted at any
// write.
func TestTheTableInHDFS(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir)
	at, err := hdfs.Locate("")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := hdfs.Open(at, "/columnar/"+time.Now().Format("150405.000"), hdfs.Options{Owner: "test", Wait: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := archive.Close(); err != nil {
			t.Error(err)
		}
	}()
	x := newTree(t)
	x.useStore(archive)
	logs := x.fill(3, 2, 100)
	for _, scan := range x.scans(logs)[:9] {
		x.expect(scan)
	}
	if problems := x.verify(); len(problems) != 0 {
		t.Errorf("%v", problems)
	}
	for crash := 0; ; crash++ { // six files are removed and two stored; each attempt gets one write further
		store := &crashingStore{TreeStore: x.store, left: 1, after: crash%2 == 1}
		_, err := columnar.Compact(t.Context(), store, columnar.CompactOptions{TempDir: t.TempDir(), Closed: everyDay})
		x.expect(schema.Scan{})
		if err == nil {
			break
		}
		if !errors.Is(err, errCrash) || crash > 20 {
			t.Fatal(err)
		}
	}
	if files := x.files(); len(files) != 2 {
		t.Errorf("%v", files)
	}
	if problems := x.verify(); len(problems) != 0 {
		t.Errorf("merged: %v", problems)
	}
	list, err := archive.ListWhere(context.Background(), func(dir string) bool { return dir != "day=20260903/host=web01" })
	if err != nil || len(list) != 1 {
		t.Errorf("without web01: %v, %v", list, err)
	}
}
