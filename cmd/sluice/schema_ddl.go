package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/hbase"
	"sluice/parse"
	"sluice/schema"
	"sluice/table/columnar"
)

// ddl returns the statements of s.Kind for the table and the archive that the flags name. If they
// name neither, it returns those for a table with the layout and the format of the flags.
func (s *schemaCmd) ddl(a *app, format *parse.Format) (string, error) {
	if strings.ContainsAny(s.Name, "'\"`\\\n ") || s.Name == "" {
		return "", usage("--name %q is not a table's name", s.Name)
	}
	switch {
	case s.Kind == "avro":
		out, err := schema.AvroSchema(s.Name, schema.AvroFields(format.Fields()))
		return out, asUsage(err)
	case s.onHBase():
		return s.ofHBase(a, format)
	case s.Table != "":
		return s.ofParquet(a, format)
	case s.Kind == "hive" && s.Archive != "":
		return s.ofArchive(a)
	}
	layout, err := s.layout()
	if err != nil {
		return "", usageError{err}
	}
	avro, err := s.packedSchema(format.Fields())
	if err != nil {
		return "", usageError{err}
	}
	t := schema.TableDDL{Name: s.Name, Compression: s.Compression, TTLSeconds: int64(s.TTL / time.Second), Schema: avro}
	out, err := s.statements(layout, t, format.Fields())
	return out, asUsage(err)
}

func (s *schemaCmd) statements(layout schema.Layout, t schema.TableDDL, fields []schema.Field) (string, error) {
	switch s.Kind {
	case "hbase":
		return layout.HBaseDDL(t), nil
	case "hive":
		return layout.HiveDDL(t, fields), nil
	default:
		return layout.PhoenixDDL(t, fields)
	}
}

// ofHBase returns the statements for an existing table in HBase.
func (s *schemaCmd) ofHBase(a *app, format *parse.Format) (out string, err error) {
	h, err := a.hbase.locate(s.tableFlags)
	if err != nil {
		return "", err
	}
	h.options.Wait = a.cli.retryLimit(false)
	admin := hbase.OpenAdmin(h.url, h.options)
	defer func() { err = errors.Join(err, admin.Close()) }()
	c, err := admin.Describe(a.ctx)
	if err != nil {
		return "", explainHBase(err, s.Table)
	}
	table, err := a.openTable(s.tableFlags)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	rows, err := newEntries(a.ctx, table, a.log)
	if err != nil {
		return "", explainHBase(err, s.Table)
	}
	fields := slices.Concat(rows.fields...)
	if len(fields) == 0 { // the table has no lines yet
		fields = format.Fields()
	}
	t := schema.TableDDL{Name: h.url.Table, Compression: c.Compression, TTLSeconds: int64(c.TTL / time.Second), Schema: c.Schema}
	out, err = s.statements(c.Layout, t, fields)
	return out, asUsage(err)
}

// ofParquet returns the statements for an existing columnar table and, if --archive is set, for the
// archive.
func (s *schemaCmd) ofParquet(a *app, format *parse.Format) (out string, err error) {
	if s.Kind != "hive" {
		return "", usage("schema %s is for a table in HBase; --table %s is a tree of Parquet files\nhint: sluice schema hive --table %s; docs/columnar.md has the forms for other programs", s.Kind, s.Table, s.Table)
	}
	tree, err := a.trees.ofTable(s.tableFlags)
	if err != nil {
		return "", err
	}
	location, err := tree.location()
	if err != nil {
		return "", usageError{err}
	}
	table, err := a.openTable(s.tableFlags)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	t := columnar.HiveTable{Name: sqlTableName(s.Name), Location: location, Pattern: tree.pattern}
	labels := map[string]bool{}
	streams, err := table.Streams(a.ctx)
	if err != nil {
		return "", err
	}
	for _, e := range streams {
		for label := range e.Labels {
			labels[label] = true
		}
	}
	t.Labels = slices.Sorted(maps.Keys(labels))
	if columns, ok := table.(columnSource); ok {
		for _, stream := range columns.Formats() {
			f, err := parse.OfStream(&stream)
			if err != nil {
				return "", err
			}
			t.Formats = append(t.Formats, f)
		}
	}
	if len(t.Formats) == 0 {
		t.Formats = []*parse.Format{format}
	}
	out = columnar.HiveDDL(t)
	if s.Archive == "" {
		return out, nil
	}
	lines, err := s.ofArchive(a)
	return out + "\n" + lines, err
}

// ofArchive returns Hive's statements for a table of the lines of the archive.
func (s *schemaCmd) ofArchive(a *app) (string, error) {
	pattern, err := archivePattern(s.Archive, a.cli.Data)
	if err != nil {
		return "", err
	}
	location, err := tree{flag: "--archive", url: s.Archive, pattern: pattern}.location()
	if err != nil {
		return "", usageError{err}
	}
	return pattern.HiveDDL(sqlTableName(s.Name)+"_lines", location), nil
}

// sqlTableName returns the name of a table without its namespace.
func sqlTableName(name string) string { return name[strings.IndexByte(name, ':')+1:] }

// location returns the URL of the tree's root in Hadoop's form, with single quotes escaped for SQL.
func (t tree) location() (string, error) {
	location := t.id()
	if !isHDFS(location) {
		absolute, err := filepath.Abs(location)
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", t.flag, location, err)
		}
		location = "file://" + absolute
	}
	return strings.ReplaceAll(strings.TrimSuffix(location, "/"), "'", `\'`), nil
}

// asUsage returns err as a usageError, or nil if err is nil.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}
