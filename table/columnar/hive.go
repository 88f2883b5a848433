package columnar

import (
	"fmt"
	"slices"
	"strings"

	"sluice/archive"
	"sluice/parse"
	"sluice/schema"
)

// HiveTable is what Hive's statements for a tree of Parquet files depend on.
type HiveTable struct {
	// Name is the view; the table under it is Name_parquet.
	Name string
	// Location is the URL of the directory that the pattern's directories are in.
	Location string
	Pattern  archive.Pattern
	// Formats are the formats of the rows.
	Formats []*parse.Format
	// Labels are the names of the labels of the logs, each once.
	Labels []string
}

// HiveDDL returns an external table of the tree, and a view of it with the time as a timestamp.
// Times are BIGINT: Hive 3 has no timestamp in nanoseconds, but reads the number.
func HiveDDL(t HiveTable) string {
	table := t.Name + "_parquet"
	settings, partitions, after := t.Pattern.HiveLocation(table)
	var b strings.Builder
	b.WriteString(`-- Columns of a directory's name (day, host) choose directories: name them in WHERE. ` + "`time`" + ` is in
-- nanoseconds since 1970, and NULL if the line has no readable time. ` + "`logbody`" + ` is NULL if the other
-- columns contain the whole line. Rows of segments that are still open are in no file yet.
-- The files are compressed with zstd. Hive 3.1 reads it if Hadoop's native library does (hadoop
-- checknative), or with parquet-hadoop-bundle 1.12 and zstd-jni in its class path before hive-exec.
`)
	b.WriteString(settings)
	fmt.Fprintf(&b, "CREATE EXTERNAL TABLE `%s` (\n", table)
	for i, c := range t.columns() {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, "  `%s` %s", c.name, c.kind)
	}
	fmt.Fprintf(&b, "\n)\n%sSTORED AS PARQUET\nLOCATION '%s';\n%s\n", partitions, t.Location, after)
	fmt.Fprintf(&b, "CREATE VIEW `%s` AS\nSELECT *, CAST(`%s` / 1000000000 AS TIMESTAMP) AS `event_time` FROM `%s`;\n", t.Name, schema.TimeField, table)
	return b.String()
}

type hiveColumn struct{ name, kind string }

// columns returns those of all files, without those that are directories.
func (t *HiveTable) columns() []hiveColumn {
	columns := []hiveColumn{
		{schema.TimeField, "BIGINT"}, {zoneColumn, "INT"}, {schema.HostField, "STRING"}, {schema.StreamField, "STRING"}, {schema.OffsetField, "BIGINT"},
	}
	kindOf := func(name string) string {
		i := slices.IndexFunc(columns, func(c hiveColumn) bool { return c.name == name })
		if i < 0 {
			return ""
		}
		return columns[i].kind
	}
	for _, format := range t.Formats {
		for _, f := range newShape(&schema.Stream{}, nil, format).fields {
			name, kind := f.name, "BIGINT"
			if isText(f.kind) {
				kind = "STRING"
			}
			if other := kindOf(name); other != "" && other != kind {
				name = kindName(name, f.kind)
			}
			if kindOf(name) == "" {
				columns = append(columns, hiveColumn{name, kind})
			}
		}
	}
	for _, label := range t.Labels {
		columns = append(columns, hiveColumn{labelPrefix + label, "STRING"})
	}
	columns = append(columns, hiveColumn{schema.ParseErrorField, "STRING"}, hiveColumn{schema.LogbodyField, "BINARY"})
	directories, _ := t.Pattern.Partitions()
	return slices.DeleteFunc(columns, func(c hiveColumn) bool {
		return slices.ContainsFunc(directories, func(d archive.Partition) bool { return d.Name == c.name })
	})
}
