// Package bulkload writes rows to a table in HBase as HFiles that the region servers take as they
// are, instead of sending the rows: for backfills, which cost the servers a hundredth then.
//
// A [Loader] has the Put and Flush of a table. Put sorts rows into one file a region on the local
// disk. Flush uploads the files to a staging directory in HBase's file system, asks each region's
// server to take its file, and returns when all rows are durable. Rows that do not fit into a sorted
// file, and all rows if loading fails for good, go to the table's own Put.
//
// [decide] decides what follows an attempt to load a file. [Worth] decides whether loading pays.
// [Sweep] removes what killed processes left.
package bulkload
