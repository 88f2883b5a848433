// Package hdfs is the archive in HDFS: Locate finds a cluster, Open returns its Archive.
//
// A sealed segment is written to _tmp/, compared with the local file by length and HDFS's checksum,
// and renamed. After any failure the temporary file is removed and the upload starts again on a new
// connection. The client library is colinmarc/hdfs, which has no pipeline recovery and no
// deadlines: its connections get deadlines here, and each client is used by one call at a time and
// closed after an error.
package hdfs
