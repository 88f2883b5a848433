// Package archive is the contract of an archive of sealed segments, stored in directories by date
// and host: the interface Archive, which package archivetest tests for each implementation (package
// localdir, package hdfs), the path Pattern with Flume's escapes, and the rules for names.
package archive
