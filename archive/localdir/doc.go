// Package localdir is the archive in a local directory, with the same layout as in HDFS.
//
// A sealed segment on the same file system gets a second name (link(2)), which copies no data and
// is atomic. From another file system it is copied to _tmp/, synced, compared by length and
// checksum, and renamed.
package localdir
