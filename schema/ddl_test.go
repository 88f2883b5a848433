package schema

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var combinedFields = []Field{
	{Name: "client", Kind: Addr}, {Name: "ident"}, {Name: "user"}, {Name: "time", Kind: Time},
	{Name: "method"}, {Name: "path"}, {Name: "protocol"}, {Name: "query", Derived: true}, {Name: "request", Derived: true},
	{Name: "status", Kind: Int}, {Name: "bytes", Kind: Int}, {Name: "referer"}, {Name: "agent"},
}

// golden compares with testdata/name, or writes it with -rewrite.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -rewrite writes it anew. Got:\n%s", path, got)
	}
}

// TestDDL compares the statements with which other programs create and read the table.
func TestDDL(t *testing.T) {
	typed, err := NewLayout(LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	flume, err := NewLayout(LayoutFlume)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := NewLayout(LayoutPacked)
	if err != nil {
		t.Fatal(err)
	}
	few := typed
	few.Salts, few.Cells = 2, []string{"host", "status", "path"}
	for name, l := range map[string]Layout{"typed": typed, "flume": flume, "few": few, "packed": packed} {
		table := TableDDL{Name: "web:accesslog", Compression: "SNAPPY", TTLSeconds: 7776000}
		if name == LayoutPacked {
			if table.Schema, err = PackedSchema(combinedFields); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, "ddl_"+name+"_hbase.txt", l.HBaseDDL(table))
		golden(t, "ddl_"+name+"_hive.txt", l.HiveDDL(table, combinedFields))
		phoenixTable := TableDDL{Name: "accesslog"}
		if name == LayoutTyped {
			phoenixTable.Name = "web:accesslog"
		}
		phoenix, err := l.PhoenixDDL(phoenixTable, combinedFields)
		if packed := name == LayoutPacked; packed != errors.Is(err, errLayout) {
			t.Errorf("%s for Phoenix: %v", name, err)
		} else if !packed {
			golden(t, "ddl_"+name+"_phoenix.txt", phoenix)
		}
	}
}

// TestDDLOfSeveralFormatsHasEachCellOnce: a table's logs can have different formats. A field that
// they encode differently can be read as bytes only, and a part of the key is never named like a
// field.
func TestDDLOfSeveralFormatsHasEachCellOnce(t *testing.T) {
	typed, err := NewLayout(LayoutTyped)
	if err != nil {
		t.Fatal(err)
	}
	fields := append(slices.Clone(combinedFields), Field{Name: "status"}, Field{Name: "bytes", Kind: Int}, Field{Name: "stream"}, Field{Name: "rowkey"})
	phoenix, err := typed.PhoenixDDL(TableDDL{Name: "accesslog"}, fields)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "ddl_several_phoenix.txt", phoenix)
	golden(t, "ddl_several_hive.txt", typed.HiveDDL(TableDDL{Name: "accesslog"}, fields))
}
