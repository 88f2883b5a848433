// Package columnar stores the lines of web logs as columns in Parquet files: one file for
// each sealed segment, and larger ones that are merged from those.
//
// An [Encoder] turns the records of one stream into a [Chunk], and a [Writer] puts the
// chunks of a segment, in their order, into a file. [FromSegment] makes the same bytes from
// a segment that is on disk. A [File] is read by row groups into a [Batch], whose columns
// are for questions and whose lines are for people.
//
// A line is kept as its fields: its own bytes are stored (the column logbody) only where
// the format does not rebuild them exactly, which is checked when a row is encoded.
package columnar
