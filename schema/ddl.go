package schema

import (
	"fmt"
	"strings"
)

// TableDDL is the attributes of the statements beside layout and fields.
type TableDDL struct {
	// Name is the HBase table, with its namespace if it has one: "web:accesslog".
	Name string
	// Compression is HBase's name of the compression: NONE, SNAPPY, GZ, ZSTD; empty is NONE.
	Compression string
	// TTLSeconds is the time after the event at which a row expires; 0: never.
	TTLSeconds int64
	// Schema is the Avro schema of a packed table's usual format, if not empty.
	Schema string
}

// sqlName is the table's name without its namespace, for Hive and Phoenix views.
func (t TableDDL) sqlName() string { return t.Name[strings.IndexByte(t.Name, ':')+1:] }

// LayoutAttribute is the table attribute with the layout.
const LayoutAttribute = "sluice.layout"

// SchemaAttribute is the table attribute with the Avro schema of the format that a
// packed table was made for. Streams of other formats have theirs in their own rows.
const SchemaAttribute = "sluice.schema"

// HBaseDDL returns the HBase shell's statement that creates the table: one family, one version,
// FAST_DIFF, no Bloom filter, split at every salt, with the layout in the table's descriptor.
func (l Layout) HBaseDDL(t TableDDL) string {
	var b strings.Builder
	if namespace, _, ok := strings.Cut(t.Name, ":"); ok {
		fmt.Fprintf(&b, "create_namespace '%s'\n", namespace)
	}
	compression := t.Compression
	if compression == "" {
		compression = "NONE"
	}
	fmt.Fprintf(&b, "create '%s',\n  {NAME => '%s', VERSIONS => 1, DATA_BLOCK_ENCODING => 'FAST_DIFF', BLOOMFILTER => 'NONE', COMPRESSION => '%s'", t.Name, l.Family, compression)
	if t.TTLSeconds > 0 {
		fmt.Fprintf(&b, ", TTL => %d", t.TTLSeconds)
	}
	b.WriteString("},\n")
	if keys := l.SplitKeys(); len(keys) > 0 {
		b.WriteString("  {SPLITS => [")
		for i, key := range keys {
			if i > 0 {
				b.WriteString(", ")
			}
			for _, c := range key {
				fmt.Fprintf(&b, `"\x%02X"`, c) // double quotes: Ruby unescapes no others
			}
		}
		b.WriteString("]},\n")
	}
	fmt.Fprintf(&b, "  {METADATA => {'%s' => '%s'", LayoutAttribute, l.Marshal())
	if t.Schema != "" {
		fmt.Fprintf(&b, ", '%s' => '%s'", SchemaAttribute, t.Schema)
	}
	b.WriteString("}}\n")
	return b.String()
}

// sqlColumn is a cell as a column of an SQL engine.
type sqlColumn struct {
	name, qualifier string
	number          bool // eight bytes, big-endian
	text            bool // valid as a string; otherwise bytes
}

// columns returns the cells of a table whose lines have these fields.
func (l Layout) columns(fields []Field) []sqlColumn {
	if l.Name == LayoutPacked {
		return []sqlColumn{{packedQualifier, packedQualifier, false, false}}
	}
	columns := []sqlColumn{{HostField, HostField, false, true}}
	for _, f := range fields {
		if f.Derived {
			continue
		}
		number := (f.Kind == Int || f.Kind == Time) && l.Name == LayoutTyped
		columns = append(columns, sqlColumn{f.Name, l.Qualifier(f.Name), number, true})
	}
	columns = append(columns, sqlColumn{ParseErrorField, ParseErrorField, false, true}, sqlColumn{LogbodyField, LogbodyField, false, false})
	kept := columns[:0]
	for _, c := range columns {
		if l.keeps(c.name) {
			kept = append(kept, c)
		}
	}
	return kept
}

// hivePacked is a comment for a packed table, whose records Hive cannot decode.
const hivePacked = `-- A packed row is one Avro record in single-object encoding. Here it comes as bytes, for a function of your own. The layout typed has a column a field.
`

// HiveDDL returns an external table over HBase (HBaseStorageHandler; #b reads eight bytes as a
// bigint), and a view of it without the stream directory's rows and with the time as a timestamp.
func (l Layout) HiveDDL(t TableDDL, fields []Field) string {
	columns := l.columns(fields)
	var types, mapping, names strings.Builder
	for _, c := range columns {
		kind, suffix := "STRING", ""
		switch {
		case c.number:
			kind, suffix = "BIGINT", "#b"
		case !c.text:
			kind, suffix = "BINARY", "#b" // Hive would decode text as base64
		}
		fmt.Fprintf(&types, ",\n  `%s` %s", c.name, kind)
		fmt.Fprintf(&mapping, ",%s:%s%s", l.Family, c.qualifier, suffix)
		fmt.Fprintf(&names, ", `%s`", c.name)
	}
	name := t.sqlName()
	var b strings.Builder
	kept := LogbodyField
	if l.Name == LayoutPacked {
		b.WriteString(hivePacked)
		kept = packedQualifier
	}
	fmt.Fprintf(&b, "CREATE EXTERNAL TABLE `%s_hbase` (\n  `rowkey` BINARY%s\n)\n", name, types.String())
	fmt.Fprintf(&b, "STORED BY 'org.apache.hadoop.hive.hbase.HBaseStorageHandler'\nWITH SERDEPROPERTIES ('hbase.columns.mapping' = ':key#b%s')\n", mapping.String())
	fmt.Fprintf(&b, "TBLPROPERTIES ('hbase.table.name' = '%s');\n\n", t.Name)
	moment := ""
	if i := Index(fields, TimeField); i >= 0 && l.Name == LayoutTyped && l.keeps(TimeField) {
		moment = ", CAST(`time` / 1000000000 AS TIMESTAMP) AS `event_time`"
	}
	fmt.Fprintf(&b, "CREATE VIEW `%s` AS\nSELECT `rowkey`%s%s\nFROM `%s_hbase` WHERE `%s` IS NOT NULL;\n", name, names.String(), moment, name, kept)
	return b.String()
}

// PhoenixDDL returns a view over the HBase table. Names are quoted, because those of the cells are
// in lower case; rows of the stream directory have no "logbody". It returns an ErrLayout for a
// packed table, which Phoenix cannot read.
func (l Layout) PhoenixDDL(t TableDDL, fields []Field) (string, error) {
	if l.Name == LayoutPacked {
		return "", fmt.Errorf("%w: Phoenix cannot read a packed table: it knows no Avro, and would show each row as bytes; use the layout typed", ErrLayout)
	}
	var b strings.Builder
	b.WriteString("-- Each stream has a row of its own beside its lines: WHERE \"logbody\" IS NOT NULL leaves it out.\n")
	name := `"` + t.sqlName() + `"`
	if namespace, _, ok := strings.Cut(t.Name, ":"); ok {
		name = `"` + namespace + `".` + name
	}
	fmt.Fprintf(&b, "CREATE VIEW %s (\n  \"rowkey\" VARBINARY PRIMARY KEY", name)
	for _, c := range l.columns(fields) {
		kind := "VARCHAR"
		switch {
		case c.number:
			kind = "UNSIGNED_LONG"
		case !c.text:
			kind = "VARBINARY"
		}
		fmt.Fprintf(&b, ",\n  \"%s\".\"%s\" %s", l.Family, c.qualifier, kind)
	}
	b.WriteString("\n);\n")
	return b.String(), nil
}
