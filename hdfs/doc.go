// Package hdfs is the archive in HDFS.
//
// A sealed segment is written to _tmp/, compared with the local file by length and
// HDFS's own checksum, and renamed; whatever fails on the way, the temporary file is
// removed and the upload begins again on a new connection. The client is
// colinmarc/hdfs, which recovers no pipeline and waits for ever where nobody
// answers: its connections are given deadlines here, and each client is used by one
// call at a time and thrown away after an error.
package hdfs
