package embedded

import (
	"testing"

	"go.uber.org/goleak"

	"sluice/hbase/tabletest"
	"sluice/schema"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// open opens a table that is closed with the test, and may be closed before.
func open(t *testing.T, dir string, o Options) *Table {
	t.Helper()
	table, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return table
}

func TestContract(t *testing.T) {
	tabletest.Run(t, func(t *testing.T, layout schema.Layout) tabletest.Table {
		return open(t, t.TempDir(), Options{Layout: &layout})
	})
}
