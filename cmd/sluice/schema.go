package main

import (
	"errors"
	"io"
	"strings"
	"time"

	"sluice/hbase"
	"sluice/parse"
	"sluice/print"
	"sluice/schema"
)

type schemaCmd struct {
	tableFlags
	Archive     string        `placeholder:"URL" help:"hive: print an external table of the archive's lines, too: dir:PATTERN or hdfs://NAMENODE/PATTERN."`
	Kind        string        `arg:"" enum:"avro,hbase,hive,phoenix,apply" help:"avro (the schema of records), the DDL for hbase, hive, phoenix, or apply: create the HBase table of --table. With --table the DDL is that of the existing table."`
	Format      string        `default:"combined" placeholder:"F" help:"LogFormat string, or a name: ${formats}."`
	Pattern     string        `placeholder:"RE" help:"Regular expression with named groups instead of a LogFormat."`
	Layout      string        `default:"typed" enum:"typed,packed,flume" help:"Layout of a new table: typed, packed or flume."`
	Cells       []string      `placeholder:"FIELD" help:"Fields that have a cell of their own (default: all)."`
	Name        string        `default:"accesslog" placeholder:"NAME" help:"Name of the table, with its namespace if it has one (web:accesslog), or of the Avro record."`
	Compression string        `default:"" enum:",NONE,SNAPPY,GZ,ZSTD,LZ4" placeholder:"C" help:"Compression of the column family: NONE, SNAPPY, GZ, ZSTD or LZ4 (default: NONE; with apply, one that the cluster supports)."`
	TTL         time.Duration `placeholder:"2160h" help:"Time after the event at which a row expires (default: never)."`
}

// Help returns the detailed help text; kong calls it.
func (schemaCmd) Help() string {
	return `    sluice schema avro --format combinedio >accesslog.avsc
    sluice schema hbase --name web:accesslog --compression SNAPPY | hbase shell
    sluice schema phoenix --table hbase://zk1,zk2/web:accesslog
    sluice schema hive --table parquet:hdfs://nn1/web/table | beeline -f /dev/stdin
    sluice schema apply --table hbase://zk1,zk2/web:accesslog --ttl 2160h

With --table, name, layout and fields are read from the table; --format is for a table
without lines. Without it, the DDL is for --name, --layout and --format.

apply creates the table and its namespace, pre-split at every salt; an existing table
with this layout is not changed.`
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
	if s.Kind == "apply" {
		return s.apply(a, format.Fields())
	}
	out, err := s.ddl(a, format)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, strings.TrimSuffix(out, "\n")+"\n")
	return err
}

// layout returns the layout that the flags describe.
func (s *schemaCmd) layout() (schema.Layout, error) {
	layout, err := schema.NewLayout(s.Layout)
	if err != nil {
		return layout, err
	}
	layout.Cells = s.Cells
	return layout, layout.Check()
}

// packedSchema returns the Avro schema that the descriptor of a packed table contains. "": another
// layout.
func (s *schemaCmd) packedSchema(fields []schema.Field) (string, error) {
	if s.Layout != schema.LayoutPacked {
		return "", nil
	}
	return schema.PackedSchema(fields)
}

// apply creates the HBase table.
func (s *schemaCmd) apply(a *app, fields []schema.Field) (err error) {
	if !s.onHBase() {
		return usage("schema apply creates a table in HBase\nhint: name it with --table hbase://ZOOKEEPER/TABLE")
	}
	h, err := a.hbase.locate(s.tableFlags)
	if err != nil {
		return err
	}
	layout, err := s.layout()
	if err != nil {
		return usageError{err}
	}
	avro, err := s.packedSchema(fields)
	if err != nil {
		return usageError{err}
	}
	h.options.Wait = a.cli.retryLimit(false)
	admin := hbase.OpenAdmin(h.url, h.options)
	defer func() { err = errors.Join(err, admin.Close()) }()
	compression, made, err := admin.Create(a.ctx, hbase.Creation{Layout: layout, Compression: s.Compression, TTL: s.TTL, Schema: avro})
	var layoutError *hbase.LayoutError
	var family *hbase.FamilyError
	if errors.As(err, &layoutError) || errors.As(err, &family) {
		return usageError{err}
	}
	if err != nil {
		return explainHBase(err, s.Table)
	}
	what := "made"
	if !made {
		what = "there already"
	}
	_, err = print.Textf(a.stdout, "table=%s layout=%s family=%s salts=%d compression=%s: %s\n", h.url.Table, layout.Name, layout.Family, layout.Salts, compression, what)
	return err
}
