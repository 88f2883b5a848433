package main

import (
	"fmt"
	"strings"
	"time"

	"sluice/parse"
	"sluice/schema"
)

type schemaCmd struct {
	Kind        string        `arg:"" enum:"avro,hbase,hive,phoenix" help:"avro (the schema of records), or the DDL for hbase, hive, phoenix."`
	Format      string        `default:"combined" placeholder:"F" help:"LogFormat string, or a name: ${formats}."`
	Pattern     string        `placeholder:"RE" help:"Regular expression with named groups instead of a LogFormat."`
	Layout      string        `default:"typed" enum:"typed,flume" help:"Layout of the table: typed or flume."`
	Cells       []string      `placeholder:"FIELD" help:"Fields that have a cell of their own (default: all)."`
	Name        string        `default:"accesslog" placeholder:"NAME" help:"The table, with its namespace where it has one (web:accesslog), or the Avro record."`
	Compression string        `default:"NONE" enum:"NONE,SNAPPY,GZ,ZSTD,LZ4" help:"The column family's compression: NONE, SNAPPY, GZ, ZSTD or LZ4."`
	TTL         time.Duration `placeholder:"2160h" help:"How long after the event a row is kept (default: for ever)."`
}

// Help is kong's longer help.
func (schemaCmd) Help() string {
	return `    sluice schema avro --format combinedio >accesslog.avsc
    sluice schema hbase --name web:accesslog --compression SNAPPY | hbase shell
    sluice schema hive | beeline -f /dev/stdin`
}

func (s *schemaCmd) Run(a *app) error {
	text := s.Format
	if s.Pattern != "" {
		text = parse.PatternPrefix + s.Pattern
	}
	format, err := parse.Lookup(text, nil)
	if err != nil {
		return usageError{err}
	}
	out, err := s.text(format.Fields())
	if err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprint(a.stdout, strings.TrimSuffix(out, "\n")+"\n")
	return err
}

func (s *schemaCmd) text(fields []schema.Field) (string, error) {
	if s.Kind == "avro" {
		return schema.AvroSchema(s.Name, schema.AvroFields(fields))
	}
	layout, err := schema.NewLayout(s.Layout)
	if err != nil {
		return "", err
	}
	layout.Cells = s.Cells
	if err := layout.Check(); err != nil {
		return "", err
	}
	if strings.ContainsAny(s.Name, "'\"`\\\n ") || s.Name == "" {
		return "", fmt.Errorf("--name %q is not a table's name", s.Name)
	}
	table := schema.TableDDL{Name: s.Name, Compression: s.Compression, TTLSeconds: int64(s.TTL / time.Second)}
	switch s.Kind {
	case "hbase":
		return layout.HBaseDDL(table), nil
	case "hive":
		return layout.HiveDDL(table, fields), nil
	default:
		return layout.PhoenixDDL(table, fields), nil
	}
}
