package schema

import (
	"fmt"
	"slices"
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

// Example bounds of the queries in comments: the first week of September 2026.
const (
	exampleFrom = 1788220800000000000
	exampleTo   = 1788825600000000000
)

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
	field     string
	qualifier string // of the cell, and the column's name
	number    bool   // eight bytes, big-endian
	text      bool   // valid as a string; otherwise bytes
}

// columns returns the cells of a table whose lines have these fields, those of several formats one
// after the other. A cell that formats encode differently is a column of bytes.
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
		name := l.Qualifier(f.Name)
		i := slices.IndexFunc(columns, func(c sqlColumn) bool { return c.qualifier == name })
		switch {
		case i < 0:
			columns = append(columns, sqlColumn{f.Name, name, number, true})
		case columns[i].number != number:
			columns[i].number, columns[i].text = false, false
		}
	}
	columns = append(columns, sqlColumn{ParseErrorField, ParseErrorField, false, true}, sqlColumn{LogbodyField, LogbodyField, false, false})
	kept := columns[:0]
	for _, c := range columns {
		if l.keeps(c.field) {
			kept = append(kept, c)
		}
	}
	return kept
}
