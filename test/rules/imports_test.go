package rules

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "sluice/"

// edges are the allowed imports between packages of this module. It is the table in ARCHITECTURE.md
// as data: schema ← parse ← ingest ← cmd, schema ← hbase, schema ← archive. A new package needs a
// row; add imports to a row only if the design requires it.
var edges = []struct{ pkg, imports, testImports string }{
	{"schema", "", "parse"},
	{"parse", "schema", ""},
	{"parse/httpdconf", "", "parse"},

	{"ingest", "schema parse ingest/checkpoint ingest/collector ingest/logfile ingest/tail",
		"ingest/collector/collectortest ingest/segment/vfs"},
	{"ingest/collector", "schema parse archive table/columnar ingest/checkpoint ingest/segment ingest/segment/vfs retry",
		"ingest/collector/collectortest ingest/logfile ingest/segment/vfs/crashfs test/replay"},
	{"ingest/collector/collectortest", "schema table/columnar ingest/segment/vfs", ""},
	{"ingest/agent", "schema ingest/avrorpc ingest/checkpoint ingest/flume ingest/logfile ingest/protocol ingest/tail retry", "ingest/segment/vfs"},
	{"ingest/receiver", "schema parse ingest/avrorpc ingest/checkpoint ingest/collector ingest/flume ingest/logfile ingest/protocol ingest/segment", "ingest/agent ingest/segment/vfs ingest/tail bench/sample archive archive/localdir test/replay"},
	{"ingest/apacheconf", "parse parse/httpdconf ingest/logfile ingest/tail", ""},
	{"ingest/admission", "", ""},
	{"ingest/avrorpc", "ingest/admission", ""},
	{"ingest/flume", "ingest/avrorpc", "bench/peers bench/sample"},
	{"ingest/protocol", "schema ingest/avrorpc", "bench/sample"},
	{"ingest/checkpoint", "schema ingest/logfile ingest/segment/vfs", "ingest/segment/vfs/crashfs test/replay"},
	{"ingest/governor", "", ""},
	{"ingest/logfile", "schema", ""},
	{"ingest/tail", "schema parse ingest/checkpoint ingest/logfile retry", "ingest/segment/vfs test/replay"},
	{"ingest/segment", "schema ingest/segment/vfs", "ingest/segment/vfs/crashfs bench/sample test/replay"},
	{"ingest/segment/vfs", "", "ingest/segment/vfs/crashfs"},
	{"ingest/segment/vfs/crashfs", "ingest/segment/vfs", ""},

	{"hbase", "schema hadoop/protobuf hbase/bulkload hbase/hfile hbase/region hbase/rpc hbase/wire retry", "hbase/hbasetest table/tabletest parse query test/cluster"},
	{"hbase/hbasetest", "hadoop/protobuf hbase/wire", ""},
	{"hbase/bulkload", "schema hadoop/protobuf hbase/hfile hbase/region hbase/rpc retry", "hbase hbase/hbasetest hbase/wire hdfs parse table/tabletest bench/sample test/cluster"},
	{"hbase/hfile", "hadoop/protobuf hbase/wire", "test/cluster"},
	{"hbase/region", "hadoop/protobuf hbase/rpc hbase/wire retry", ""},
	{"hbase/rpc", "hadoop hadoop/protobuf hbase/wire retry", "test/cluster"},
	{"hbase/checks", "doctor schema hadoop/protobuf hbase hbase/region hbase/rpc hadoop/sasl hbase/wire retry", "table/tabletest test/cluster"},
	{"retry", "", ""},

	{"hadoop", "", ""},
	{"hadoop/protobuf", "", ""},
	{"hadoop/sasl", "hadoop", "schema hbase hbase/rpc table/tabletest test/cluster"},
	{"hadoop/site", "", ""},
	{"hbase/wire", "hadoop/protobuf", ""},
	{"table/tabletest", "schema parse hbase bench/sample", ""},

	{"archive", "schema", ""},
	{"archive/localdir", "archive", "archive/archivetest"},
	{"hdfs", "archive hdfs/protection hadoop/sasl hadoop/site retry", "archive/archivetest test/cluster"},
	{"hdfs/protection", "hadoop hadoop/protobuf hadoop/sasl", ""},
	{"archive/archivetest", "archive", ""},

	{"archive/index", "schema parse archive ingest/segment", "ingest/segment/vfs archive/localdir bench/sample"},
	{"audit", "schema parse archive/index archive ingest/checkpoint ingest/logfile ingest/segment ingest/segment/vfs table/columnar",
		"table/tabletest archive/localdir bench/sample"},

	{"table/parquet", "", ""},
	{"table/columnar", "schema parse archive table/parquet ingest/segment", "ingest/segment/vfs archive/localdir ingest/checkpoint ingest/collector ingest/logfile bench/sample hdfs test/cluster test/pyreaders test/replay"},

	{"query", "schema table/columnar", "parse bench/sample"},
	{"print", "schema query", "parse bench/sample test/pyreaders"},

	{"monitor/report", "", ""},
	{"monitor/traffic", "monitor/history", "monitor ingest/collector ingest/protocol ingest/receiver"},
	{"monitor/history", "ingest/segment/vfs", "ingest/segment/vfs/crashfs"},

	{"monitor/dashboard", "monitor monitor/history", "ingest/collector ingest/protocol ingest/receiver ingest/segment/vfs"},

	{"doctor", "", ""},
	{"monitor", "ingest/agent ingest/collector ingest/governor ingest/protocol ingest/receiver ingest/tail monitor/watch", "ingest/segment/vfs/crashfs"},
	{"monitor/message", "monitor", ""},
	{"monitor/watch", "ingest/segment/vfs", "ingest/segment/vfs/crashfs"},

	{"test/cluster", "", ""},
	{"test/javareaders", "test/cluster", ""},
	{"test/pyreaders", "", ""},
	{"test/replay", "", ""},
	{"test/scale", "schema ingest/agent ingest/governor retry", ""},
	{"test/soak", "schema parse hbase archive hdfs archive/localdir table/columnar archive/index ingest/agent ingest/checkpoint ingest/segment/vfs bench/sample bench/fleet test/cluster", ""},
	{"test/attack", "", "schema monitor ingest/avrorpc ingest/protocol bench/sample"},
	{"bench", "*", "*"},
	{"bench/compare", "*", "*"},
	{"bench/benchtest", "", ""},
	{"bench/measure", "", ""},
	{"bench/fleet", "bench/sample", "parse schema"},
	{"bench/peers", "", ""},
	{"bench/trace", "", ""},
	{"bench/sample", "", "parse schema"},
	{"cmd/sluice", "*", "*"},
	{"cmd/sluice-bench", "*", "*"},
	{"test/rules", "", ""},
}

// testOnly are packages that only tests may import.
var testOnly = []string{"test/attack", "test/cluster", "test/javareaders", "test/pyreaders", "test/replay", "test/scale", "test/soak", "hbase/hbasetest", "table/tabletest", "archive/archivetest", "bench/benchtest", "ingest/collector/collectortest", "ingest/segment/vfs/crashfs"}

// comparing are packages that start and measure other programs; only they, and tests, may
// import them, so that nothing of other programs is linked into sluice.
var comparing = []string{"bench/compare", "bench/peers", "bench/trace", "cmd/sluice-bench"}

func TestImportsGoOneWay(t *testing.T) {
	for _, s := range sources(t) {
		i := slices.IndexFunc(edges, func(e struct{ pkg, imports, testImports string }) bool { return e.pkg == s.dir() })
		if i < 0 {
			t.Errorf("%s: package %s has no row in the table of imports", s.path, s.dir())
			continue
		}
		allowed := edges[i].imports
		if s.test() {
			allowed += " " + edges[i].testImports
		}
		for _, spec := range s.file.Imports {
			if !mayImport(s, spec.Path.Value, strings.Fields(allowed)) {
				t.Errorf("%s:%d: %s may not import %s; it may import: %s", s.path, s.lineOf(spec.Pos()), s.dir(), spec.Path.Value, allowed)
			}
		}
	}
}

// mayImport reports whether the table allows an import. "*" is all packages except commands and,
// outside tests, testOnly and comparing.
func mayImport(s *source, quoted string, allowed []string) bool {
	imported, err := strconv.Unquote(quoted)
	if err != nil {
		return false
	}
	pkg, ours := strings.CutPrefix(imported, module)
	if !ours || pkg == s.dir() || slices.Contains(allowed, pkg) { // the package itself, for x_test
		return true
	}
	if !slices.Contains(allowed, "*") || strings.HasPrefix(pkg, "cmd/") {
		return false
	}
	if slices.Contains(comparing, pkg) && !slices.Contains(comparing, s.dir()) {
		return s.test()
	}
	return s.test() || !slices.Contains(testOnly, pkg)
}

// onlyIn are external modules that only one package may import.
var onlyIn = map[string]string{"github.com/nxadm/tail": "bench/compare"}

// TestMeasuredReadersAreNotUsed checks that programs and modules that benchmarks compare with are
// not part of sluice.
func TestMeasuredReadersAreNotUsed(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			room, restricted := onlyIn[imported]
			used[imported] = used[imported] || restricted
			if restricted && s.dir() != room {
				t.Errorf("%s:%d: only %s may import %s", s.path, s.lineOf(spec.Pos()), room, imported)
			}
		}
	}
	for module := range onlyIn {
		if !used[module] {
			t.Errorf("nothing imports %s: drop its rule", module)
		}
	}
}
