package rules

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"testing"
)

// plainPackages are the packages whose comments and texts have the words of CONTRIBUTING.md.
// It grows; a package that was added is not removed. Of tests only the comments
// are checked, because texts are often data.
var plainPackages = []string{
	"archive", "archive/archivetest", "archive/index", "archive/localdir",
	"audit", "doctor",
	"bench", "bench/benchtest", "bench/compare", "bench/fleet", "bench/measure", "bench/peers", "bench/sample", "bench/trace",
	"hadoop", "hadoop/protobuf", "hadoop/sasl", "hadoop/site",
	"hbase", "hbase/bulkload", "hbase/checks", "hbase/hfile", "hbase/region", "hbase/rpc", "hbase/wire",
	"hdfs", "hdfs/protection",
	"cmd/sluice", "cmd/sluice-bench", "ingest", "ingest/collector", "ingest/collector/collectortest",
	"monitor", "monitor/dashboard", "monitor/history", "monitor/message", "monitor/report", "monitor/traffic", "monitor/watch",
	"ingest/admission", "ingest/agent", "ingest/apacheconf", "ingest/avrorpc",
	"ingest/checkpoint", "ingest/flume", "ingest/governor", "ingest/logfile", "ingest/protocol",
	"ingest/receiver", "ingest/segment", "ingest/segment/vfs", "ingest/segment/vfs/crashfs", "ingest/tail",
	"parse", "parse/httpdconf", "print", "query", "retry", "schema",
	"table/columnar", "table/parquet", "table/tabletest",
	"test/attack", "test/cluster", "test/javareaders", "test/pyreaders", "test/replay", "test/rules", "test/scale", "test/soak",
}

// literary are words and phrases that personify a program, or that have a plainer one:
// directory, client or server, calculate, the next run, repair, close, in flight.
var literary = regexp.MustCompile(`(?i)\b(folders?|whoever|nobody|reckon\w*|none of ours|(is|are|was|were) told|earlier li(fe|ves)|(this|present|next|later) life|mends|mended|let(s|ting)? go of|on their way|none the (worse|less)|all the same|takes down)\b`)

func TestPackagesUsePlainWords(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.Contains(plainPackages, s.dir()) {
			continue
		}
		for _, group := range s.file.Comments {
			if m := literary.FindString(group.Text()); m != "" {
				t.Errorf("%s:%d: comment with %q: use a plain word", s.path, s.lineOf(group.Pos()), m)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && !s.test() {
				if m := literary.FindString(lit.Value); m != "" {
					t.Errorf("%s:%d: text with %q: use a plain word", s.path, s.lineOf(lit.Pos()), m)
				}
			}
			return true
		})
	}
}

// TestPlainPackagesExist checks that each entry of plainPackages is a package.
func TestPlainPackagesExist(t *testing.T) {
	dirs := map[string]bool{}
	for _, s := range sources(t) {
		dirs[s.dir()] = true
	}
	for _, room := range plainPackages {
		if !dirs[room] {
			t.Errorf("there is no package %s", room)
		}
	}
}
