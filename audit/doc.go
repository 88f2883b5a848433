// Package audit proves that log, archive and table hold the same lines, and mends
// table and archive where they do not.
//
// What a row must be is reckoned from the line: its key from time, stream and
// offset, its cells by the stream's format and the table's layout. All rows that the
// archive's lines must make, and all rows that the table yields, are hashed to 128
// bits and added up for each 256 KiB of a stream, in whatever order they come. Sums
// that are the same are rows that are the same; where they differ, the lines of that
// piece are gone through one by one. So both sides are read once, in the order in
// which they are stored, and memory grows by 0.4 bytes a line (and by 90 bytes a
// member of the archive).
//
// The archive is the measure for what it holds; what it lacks is taken from the log.
// A stream is compared up to the position that is stored: what lies behind it is on
// its way, and no difference.
package audit
