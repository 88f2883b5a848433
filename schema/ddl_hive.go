package schema

import (
	"fmt"
	"strings"
)

const (
	hivePacked = `-- A packed row is one Avro record in single-object encoding, here as bytes: Hive has no function
-- that decodes it. Query the Parquet tree instead (sluice schema hive --table parquet:URL), or a
-- table of the layout typed, which has a column for each field.
`
	hiveNothingPushed = `-- Hive pushes no condition of these columns to HBase: each query reads every row. Do not map a column
-- to :timestamp, because Hive 3.1.3 then ignores conditions on it and returns rows that do not match.
-- For queries by time use the Parquet tree (sluice schema hive --table parquet:URL).
`
	hiveFlume = `-- Hive pushes only conditions on ` + "`%s`" + ` to HBase. The key begins with the time in nanoseconds since
-- 1970, as 19 digits; that of a line without a readable time is 0. A range of time is a range of keys:
--   SELECT ` + "`status`, COUNT(*) FROM `%s`" + `
--   WHERE ` + "`%s` >= '%d' AND `%s` < '%d' GROUP BY `status`" + `;
-- Do not map a column to :timestamp, because Hive 3.1.3 then ignores conditions on it.
`
)

// HiveDDL returns an external table over HBase (HBaseStorageHandler; #b reads eight bytes as a
// bigint), and a view of it without the stream directory's rows and with the time as a timestamp.
func (l Layout) HiveDDL(t TableDDL, fields []Field) string {
	columns := l.columns(fields)
	var types, mapping, names strings.Builder
	key := "rowkey"
	for _, c := range columns {
		kind, suffix := "STRING", ""
		switch {
		case c.number:
			kind, suffix = "BIGINT", "#b"
		case !c.text:
			kind, suffix = "BINARY", "#b" // Hive would decode text as base64
		}
		if c.qualifier == key {
			key = "key_rowkey"
		}
		fmt.Fprintf(&types, ",\n  `%s` %s", c.qualifier, kind)
		fmt.Fprintf(&mapping, ",%s:%s%s", l.Family, c.qualifier, suffix)
		fmt.Fprintf(&names, ", `%s`", c.qualifier)
	}
	name := t.sqlName()
	keyType, keySuffix, lines := "BINARY", "#b", fmt.Sprintf("`%s` IS NOT NULL", LogbodyField)
	var b strings.Builder
	switch l.Name {
	case LayoutPacked:
		b.WriteString(hivePacked)
		lines = fmt.Sprintf("`%s` IS NOT NULL", packedQualifier)
	case LayoutFlume:
		fmt.Fprintf(&b, hiveFlume, key, name, key, int64(exampleFrom), key, int64(exampleTo))
		keyType, keySuffix, lines = "STRING", "", fmt.Sprintf("`%s` < ':' AND %s", key, lines)
	default:
		b.WriteString(hiveNothingPushed)
	}
	fmt.Fprintf(&b, "CREATE EXTERNAL TABLE `%s_hbase` (\n  `%s` %s%s\n)\n", name, key, keyType, types.String())
	fmt.Fprintf(&b, "STORED BY 'org.apache.hadoop.hive.hbase.HBaseStorageHandler'\nWITH SERDEPROPERTIES ('hbase.columns.mapping' = ':key%s%s')\n", keySuffix, mapping.String())
	fmt.Fprintf(&b, "TBLPROPERTIES ('hbase.table.name' = '%s');\n\n", t.Name)
	moment := ""
	if i := Index(fields, TimeField); i >= 0 && l.Name == LayoutTyped && l.keeps(TimeField) {
		moment = ", CAST(`time` / 1000000000 AS TIMESTAMP) AS `event_time`"
	}
	fmt.Fprintf(&b, "-- Without the rows of the stream directory. Hive reads only the columns that a query names, and a row\n-- that has none of them is missing: each line has the column that is not NULL below.\nCREATE VIEW `%s` AS\nSELECT `%s`%s%s\nFROM `%s_hbase` WHERE %s;\n", name, key, names.String(), moment, name, lines)
	return b.String()
}
