package archive

import (
	"fmt"
	"strings"
)

// HiveLocation returns the parts of Hive's statements that say where files of the pattern are:
// settings before CREATE TABLE, the clause PARTITIONED BY (or nothing), and a statement after it that
// finds the partitions. root is the URL of the directory that the pattern's directories are in.
func (p Pattern) HiveLocation(table string) (settings, partitions, after string) {
	columns, ok := p.Partitions()
	if !ok {
		return `-- The directories are not named COLUMN=VALUE: every query reads all files. These settings are needed
-- in each session, without them Hive reads no file and returns no error.
SET hive.mapred.supports.subdirectories=true;
SET mapreduce.input.fileinputformat.input.dir.recursive=true;
`, "", ""
	}
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		kind := "STRING"
		if c.Number {
			kind = "INT"
		}
		fmt.Fprintf(&b, "`%s` %s", c.Name, kind)
	}
	return "", "PARTITIONED BY (" + b.String() + ")\n", fmt.Sprintf("-- Again whenever there are directories of new days or hosts:\nMSCK REPAIR TABLE `%s`;\n", table)
}

// HiveDDL returns an external table of the lines of an archive, whose root is at the URL location:
// one column, because Hive cannot read a LogFormat. The delimiter of lines is no statement: SET
// removes spaces and newlines from its value, and unescapes nothing.
func (p Pattern) HiveDDL(table, location string) string {
	settings, partitions, after := p.HiveLocation(table)
	return `-- Each row is a line as Apache wrote it. Bytes that are not UTF-8 are read as U+FFFD.
-- Hive ends a line at a CR, too, and removes a CR before the newline. To read the exact lines, start
-- it with: hive --hiveconf textinputformat.record.delimiter=$'\n'
` + settings + "CREATE EXTERNAL TABLE `" + table + "` (\n  `logbody` STRING\n)\n" + partitions +
		"ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'\nWITH SERDEPROPERTIES ('input.regex' = '(?s)(.*)')\nSTORED AS TEXTFILE\n" +
		"LOCATION '" + location + "';\n" + after
}
