package columnar

import (
	"strings"
	"testing"

	"sluice/archive"
	"sluice/parse"
)

// TestHiveHasEachColumnOfTheFilesOnce: the statement has the names that the files have, those of
// directories as partitions only, and a label beside the fields of all formats.
func TestHiveHasEachColumnOfTheFilesOnce(t *testing.T) {
	pattern, err := archive.ParsePattern("/web/day=%Y%m%d/host=%{host}")
	if err != nil {
		t.Fatal(err)
	}
	table := HiveTable{Name: "accesslog", Location: "hdfs://nn1/web", Pattern: pattern, Labels: []string{"site"}}
	for _, text := range []string{"%h %t %>s %b", "%h %t %>s %D", parse.PatternPrefix + `^(?P<offset>\S+) (?P<status>\S+)$`} {
		f, err := parse.Lookup(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		table.Formats = append(table.Formats, f)
	}
	want := "CREATE EXTERNAL TABLE `accesslog_parquet` (\n" +
		"  `time` BIGINT,\n  `zone` INT,\n  `stream` STRING,\n  `offset` BIGINT,\n  `client` STRING,\n  `status` BIGINT,\n  `bytes` BIGINT,\n" +
		"  `duration_us` BIGINT,\n  `offset_text` STRING,\n  `label_site` STRING,\n  `parse_error` STRING,\n  `logbody` BINARY\n)\n" +
		"PARTITIONED BY (`day` INT, `host` STRING)\nSTORED AS PARQUET\nLOCATION 'hdfs://nn1/web';\n"
	if got := HiveDDL(table); !strings.Contains(got, want) {
		t.Errorf("not in it:\n%s\nbut\n%s", want, got)
	}
}
