// Package schema holds sluice's words: record, field, stream, range, batch, row, layout, filter.
//
// It imports nothing of ours, so every other package can speak them. What a
// LogFormat's fields are called is decided in package parse; how a record
// becomes a row of typed cells is decided here, in [Layout].
package schema
