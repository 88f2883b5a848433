// Package localdir is the archive as a local folder, laid out as it would be in
// HDFS.
//
// A sealed segment on the same file system gets a second name (link(2)): nothing
// is copied, and the kernel itself makes it all or nothing. From another file
// system it is copied to _tmp/, synced, compared by length and checksum, and
// renamed.
package localdir
