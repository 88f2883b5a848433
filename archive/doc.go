// Package archive is the archive: sealed segments under dated, per-host paths.
//
// What is here is what every archive has in common, on HDFS or in a local folder
// (package localdir): the path pattern with Flume's escapes, the rules for names,
// and the interface that package archivetest holds each of them to.
package archive
