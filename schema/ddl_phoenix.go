package schema

import (
	"fmt"
	"slices"
	"strings"
)

// PhoenixDDL returns a view over the HBase table, with comments on how to query it. Names are
// quoted, because those of the cells are in lower case. It returns an errLayout for a packed table,
// which Phoenix cannot read.
func (l Layout) PhoenixDDL(t TableDDL, fields []Field) (string, error) {
	if l.Name == LayoutPacked {
		return "", fmt.Errorf("%w: Phoenix cannot read a packed table: it would show each row as bytes; use the layout typed", errLayout)
	}
	var b strings.Builder
	name := `"` + t.sqlName() + `"`
	if namespace, _, ok := strings.Cut(t.Name, ":"); ok {
		name = `"` + namespace + `".` + name
		fmt.Fprintf(&b, phoenixNamespace, namespace, namespace)
	}
	b.WriteString(phoenixCoprocessors)
	columns := l.columns(fields)
	key := l.phoenixKey(columns)
	for _, c := range slices.Backward(columns) {
		if c.number && c.field != TimeField { // as an example, so the last will do: bytes
			fmt.Fprintf(&b, phoenixNegative, c.qualifier)
			break
		}
	}
	l.phoenixQueries(&b, name, key)
	fmt.Fprintf(&b, "CREATE VIEW %s (\n", name)
	for _, c := range key {
		fmt.Fprintf(&b, "  \"%s\" %s NOT NULL,\n", c.name, c.kind)
	}
	for _, c := range columns {
		kind := "VARCHAR"
		switch {
		case c.number:
			kind = "UNSIGNED_LONG"
		case !c.text:
			kind = "VARBINARY"
		}
		fmt.Fprintf(&b, "  \"%s\".\"%s\" %s,\n", l.Family, c.qualifier, kind)
	}
	b.WriteString("  CONSTRAINT pk PRIMARY KEY (")
	for i, c := range key {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "\"%s\"", c.name)
	}
	b.WriteString(")\n);\n")
	return b.String(), nil
}

const phoenixNamespace = `-- A table in a namespace: CREATE VIEW fails with ERROR 1012 unless hbase-site.xml of the
-- region servers, of the master and of the client has
--   phoenix.schema.isNamespaceMappingEnabled = true
-- and Phoenix has a schema of the namespace's name:
--   CREATE SCHEMA IF NOT EXISTS "%s";
-- (the namespace %s itself stays as it is).
`

const phoenixCoprocessors = `-- CREATE VIEW adds Phoenix's coprocessors to the HBase table, and DROP VIEW leaves them there.
-- From then on a region server without Phoenix's jars aborts when it opens a region of the table.
-- Phoenix reads an empty value as NULL: "user" IS NULL is true for Apache's "-" and for "". So is
-- "logbody" IS NULL for an empty line: do not select lines by it.
`

const phoenixNegative = `-- A query that reads a negative number fails with ERROR 201, because Phoenix has no type for it, and
-- one line is enough. This condition leaves such rows out: "%s" <= 9223372036854775807.
`

// phoenixColumn is a part of the key.
type phoenixColumn struct{ name, kind string }

// phoenixKey returns the parts of the row key, so that conditions on them become ranges of keys.
// Their names differ from those of all cells: Phoenix would find a name without its family
// ambiguous.
func (l Layout) phoenixKey(columns []sqlColumn) []phoenixColumn {
	key := []phoenixColumn{{"salt", "BINARY(1)"}, {"event_ns", "UNSIGNED_LONG"}, {"stream", "BINARY(8)"}, {"offset", "BINARY(6)"}}
	if l.Name == LayoutFlume {
		key = []phoenixColumn{{"rowkey", "VARCHAR"}}
	}
	for i := range key {
		for slices.ContainsFunc(columns, func(c sqlColumn) bool { return c.qualifier == key[i].name }) {
			key[i].name = "key_" + key[i].name
		}
	}
	return key
}

// phoenixQueries appends comments on stream rows and on a range of time.
func (l Layout) phoenixQueries(b *strings.Builder, name string, key []phoenixColumn) {
	first := key[0].name
	if l.Name == LayoutFlume {
		fmt.Fprintf(b, "-- Each stream has a row of its own after all lines: WHERE \"%s\" < ':' leaves it out.\n", first)
		fmt.Fprintf(b, "-- The key begins with the time in nanoseconds since 1970, as 19 digits; that of a line without\n-- a readable time is 0. A range of time is a range of keys:\n")
		fmt.Fprintf(b, "--   SELECT \"status\", COUNT(*) FROM %s\n--   WHERE \"%s\" >= '%d' AND \"%s\" < '%d' GROUP BY \"status\";\n", name, first, int64(exampleFrom), first, int64(exampleTo))
		return
	}
	salts := make([]string, l.Salts)
	for i := range salts {
		salts[i] = fmt.Sprintf("X'%02X'", i)
	}
	time := key[1].name
	fmt.Fprintf(b, "-- Each stream has a row of its own after all lines: WHERE \"%s\" < X'FF' leaves it out.\n", first)
	fmt.Fprintf(b, "-- \"%s\" is the time in nanoseconds since 1970, 0 if the line has no readable time:\n--   CAST(\"%s\" / 1000000 AS TIMESTAMP)\n", time, time)
	fmt.Fprintf(b, "-- For a range of time name every salt, so that only its rows are read (EXPLAIN: SKIP SCAN ON %d RANGES):\n", l.Salts)
	fmt.Fprintf(b, "--   SELECT \"status\", COUNT(*) FROM %s\n--   WHERE \"%s\" IN (%s)\n--   AND \"%s\" >= %d AND \"%s\" < %d GROUP BY \"status\";\n",
		name, first, strings.Join(salts, ", "), time, int64(exampleFrom), time, int64(exampleTo))
}
