// Package embedded is the table in a local folder, on Pebble: the keys, cells and
// order of the HBase table, without a server.
//
// A row is one Pebble key, the row key, with all its cells in one value (value.go).
// The layout is recorded under a key that no row can have (layout.go).
//
// There is no write-ahead log. A line is still in the log file and in the spool
// while it is not stored, and a line that is delivered twice makes the same row,
// so what a crash takes from memory is delivered again; a log of our own would
// only write every byte once more. Nothing that Flush has confirmed is lost.
//
// One process writes a table. Others read it at the same time: they see what was
// flushed when they opened it (snapshot.go).
package embedded
