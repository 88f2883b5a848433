// Package tabletest tests the contract of a table with Run, for HBase, and has a table in Memory
// that fulfils it, for tests of code that reads and writes tables.
package tabletest

import (
	"context"
	"iter"
	"testing"

	"sluice/schema"
)

// Table is the interface of a table.
type Table interface {
	Put(ctx context.Context, rows *schema.Rows) error
	Flush(ctx context.Context) error
	Scan(ctx context.Context, s schema.Scan) iter.Seq2[*schema.Row, error]
	Streams(ctx context.Context) ([]schema.StreamEntry, error)
	Layout() schema.Layout
	Close() error
}

// Run tests the tables that open returns. Each must be new and of the requested layout; Run closes
// it.
func Run(t *testing.T, open func(*testing.T, schema.Layout) Table) {
	tests := map[string]func(*testing.T, *fixture){
		"a new table has its layout and no rows":           newTable,
		"what is put is scanned, cell by cell":             putIsScanned,
		"put again changes nothing":                        putAgain,
		"an empty block of rows is nothing":                emptyRows,
		"put copies what it keeps":                         putCopies,
		"a range has its start and not its end":            rangeEnds,
		"reverse is exactly the other way round":           reverse,
		"a limit is a limit":                               limit,
		"a limit does not drop rows that a filter selects": limitWithFilter,
		"only the streams that were asked for":             streams,
		"rows without a time stand at time 0":              undated,
		"rows of one time stand by stream and offset":      ties,
		"null has no cell and empty has an empty one":      nullAndEmpty,
		"bytes are bytes":                                  anyBytes,
		"a long line is stored whole":                      longLine,
		"the highest offset and a late time are stored":    extremes,
		"the stream directory is apart from the rows":      directory,
		"a consumer may stop and the table continues":      stopEarly,
		"a scan ends with its context":                     endedContext,
		"rows put during a scan do not disturb it":         putWhileScanning,
	}
	for name, layout := range layouts(t) {
		t.Run(name, func(t *testing.T) {
			for name, test := range tests {
				if layout.Salts > 100 && !ofOrder[name] {
					continue // a cluster needs seconds to create this number of regions
				}
				t.Run(name, func(t *testing.T) {
					table := open(t, layout)
					test(t, &fixture{t: t, Table: table, layout: layout, want: make(map[string]row)})
					if err := table.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
			}
		})
	}
}

// ofOrder are the tests that depend on the number of ranges.
var ofOrder = map[string]bool{
	"what is put is scanned, cell by cell": true, "reverse is exactly the other way round": true, "a limit is a limit": true,
	"rows of one time stand by stream and offset": true, "the stream directory is apart from the rows": true,
}

// layouts are those that a table is tested with.
func layouts(t *testing.T) map[string]schema.Layout {
	named := func(name string) schema.Layout {
		l, err := schema.NewLayout(name)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	few := named(schema.LayoutTyped)
	few.Salts, few.Cells = 3, []string{"status"}
	all := named(schema.LayoutTyped)
	all.Salts = 254
	return map[string]schema.Layout{
		"typed": named(schema.LayoutTyped), "packed": named(schema.LayoutPacked), "flume": named(schema.LayoutFlume),
		"typed with few cells": few, "typed with every salt": all,
	}
}
