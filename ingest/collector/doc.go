// Package collector stores batches of lines in a table and an archive.
//
// A [Collector] puts each batch into a segment in its spool, parses it, writes its rows or
// columns, and passes sealed segments, and the Parquet files made from them, to the archive and
// the columnar table. What it has received and what is stored are two positions of each stream.
// Only the second is written to the checkpoint, and a segment is removed only after that. Every
// step can be repeated: a row is overwritten with itself, an archive file replaced by itself.
package collector
