package checkpoint

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sluice/ingest/segment/vfs"
	"sluice/schema"
)

func TestPrunedRangesAreRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pruned")
	p, err := OpenPruned(vfs.OS{}, path)
	if err != nil || len(p.Table)+len(p.Archive) != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	p.AddTable(1, schema.Range{Start: 0, End: 100})
	p.AddTable(1, schema.Range{Start: 100, End: 150})
	p.AddTable(1<<63, schema.Range{Start: 7, End: 9})
	p.AddArchive(1, schema.Range{Start: 50, End: 60})
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenPruned(vfs.OS{}, path)
	if err != nil || !reflect.DeepEqual(p, again) {
		t.Errorf("%+v, want %+v: %v", again, p, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[20] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPruned(vfs.OS{}, path); err == nil {
		t.Error("a damaged record was read")
	}
}
