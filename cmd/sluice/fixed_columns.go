package main

import (
	"fmt"
	"log/slog"
	"slices"

	"sluice/parse"
	"sluice/schema"
)

// fixedColumns are the columns of an output that cannot add columns later: csv, tsv, table, avro
// and avrojson. The zero value checks nothing.
type fixedColumns struct {
	columns []schema.Field
	warned  map[string]bool // lists of fields that were logged
	log     *slog.Logger
}

// fixedColumns returns the columns if the output has fixed ones and --fields does not select them.
func (p *parseCmd) fixedColumns(a *app, columns []schema.Field) fixedColumns {
	if kind := p.kind(a.stdout); len(p.Fields) > 0 || kind == "json" || kind == "raw" || kind == parquetOutput {
		return fixedColumns{}
	}
	return fixedColumns{columns, map[string]bool{}, a.log}
}

// check logs the fields of a log that have no column. Logs that lack the same columns are logged
// once.
func (c *fixedColumns) check(path string, format *parse.Format) {
	if c.log == nil {
		return
	}
	var missing []string
	for _, field := range format.Fields() {
		if !field.Derived && schema.Index(c.columns, field.Name) < 0 && !slices.Contains(missing, field.Name) {
			missing = append(missing, field.Name)
		}
	}
	key := fmt.Sprint(missing)
	if len(missing) == 0 || c.warned[key] || len(c.warned) >= maxColumnWarnings {
		return
	}
	c.warned[key] = true
	c.log.Warn("log has fields without an output column, fields left out", "path", path, "fields", missing,
		"hint", "use --output json; the columns are those of the formats that are known at the start")
}

// maxColumnWarnings limits the number of warnings, and thereby the size of warned.
const maxColumnWarnings = 1000
