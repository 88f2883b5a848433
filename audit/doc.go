// Package audit proves that log, archive and table have the same lines: Run. Repair fixes table and
// archive, Replay fills a table from an archive, and Refill a columnar table.
//
// A row is calculated from its line: its key from time, stream and offset, its cells by the
// stream's format and the table's layout. All rows of the archive's lines, and all rows of the
// table, are hashed to 128 bits and summed up for each 256 KiB of a stream, in any order. Equal
// sums mean equal rows; where they differ, the lines of that chunk are compared one by one. So both
// sides are read once, in the order in which they are stored, and memory grows by 0.4 bytes a line
// (and by 90 bytes a member of the archive).
//
// The archive is the reference for the lines that it has; missing lines are taken from the log. A
// stream is compared up to the stored position: later lines are in flight, and no difference.
package audit
