// Package schema defines the types that all packages share: Record, Field, Stream, Range, Row,
// Layout, Filter. It imports no other package of the module. Package parse names the fields of a
// LogFormat; [Layout] defines how a record becomes a row of typed cells: create its [RowEncoder]
// with [Layout.NewRowEncoder]. [Entry] gives filters and printers access to a line's values by
// name.
package schema
