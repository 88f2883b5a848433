// Package columnar stores the lines of web logs as columns in Parquet files: one file for each
// sealed segment, and larger ones merged from those.
//
// To write: an [Encoder] converts the records of one stream to a [Chunk], and a [Writer] writes the
// chunks of a segment, in their order, to a file; [FromSegment] makes the same bytes from a segment
// on disk; [Place] stores the file; [Compact] merges files, [Prune] removes old ones, [Verify]
// checks them.
//
// To read: a [Table] is a tree of files and a spool, a [Snapshot] its content at one moment,
// [Snapshot.Batches] reads rows as columns in no order, [Snapshot.Lines] lines in time order. A
// [File] is one file, read by row groups into a [Batch].
//
// A line is stored as its fields. Its bytes are stored (the column logbody) only if the format does
// not rebuild them exactly, which is checked when a row is encoded.
package columnar
