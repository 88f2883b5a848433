package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/hbase/hbasetest"
)

// A run that follows logs and a collector remove what a killed bulk load left, and do not wait for
// it: here the server is too busy for it until they have started.
func TestAProcessThatOnlyPutsRemovesWhatAKilledBulkLoadLeft(t *testing.T) {
	for kind, c := range map[string]struct {
		args    func(dir, data, table string) []string
		started string
	}{
		"run": {func(dir, data, table string) []string {
			return []string{"--data", data, "run", "--host", "web01", "--no-nice", table, filepath.Join(dir, "access.log")}
		}, "following logs"},
		"collector": {func(_, data, table string) []string {
			return append([]string{"--data", data}, append(collectorArgs(data, freeAddress(t))[3:], table)...)
		}, "collector listening"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			server := hbasetest.New(t, freeAddress(t))
			server.Start()
			table := tableOfOneSalt(t, server.URL())
			load := filepath.Join(dir, "data", "load")
			if err := errors.Join(
				os.MkdirAll(load, 0o700),
				os.WriteFile(filepath.Join(load, "t__x.staging"), []byte(`{"table":"t","token":"hdfs://n/staging/t__x"}`), 0o600),
				os.WriteFile(filepath.Join(load, "rows.hfile"), nil, 0o600),
				os.WriteFile(filepath.Join(dir, "access.log"), nil, 0o600),
			); err != nil {
				t.Fatal(err)
			}
			var free atomic.Bool
			server.Fault(0, func(method string) string {
				if method == "CleanupBulkLoad" && !free.Load() {
					return "org.apache.hadoop.hbase.RegionTooBusyException"
				}
				return ""
			})
			p := start(t, c.args(dir, filepath.Join(dir, "data"), table)...)
			p.await(t, func() bool { return strings.Contains(p.output(t), c.started) })
			free.Store(true)
			p.await(t, func() bool {
				names, err := os.ReadDir(load)
				if err != nil {
					t.Fatal(err)
				}
				return !slices.ContainsFunc(names, func(e os.DirEntry) bool { return e.Name() != "lock" })
			})
			if removed := server.Removed(); !slices.Equal(removed, []string{"hdfs://n/staging/t__x"}) {
				t.Errorf("removed in HDFS: %v", removed)
			}
			if err := p.end(t); err != nil {
				t.Fatal(err)
			}
		})
	}
}
