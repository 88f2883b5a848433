// Package javareaders runs other programs on the Java platform that read what sluice stored, for
// tests: Phoenix over JDBC, Hive, and HBase's own client. Each answers the same questions as
// sluice scan, so that a test can compare them.
//
// The programs are in java/, as examples for people, too: docs/reading.md describes them.
// Maven downloads jars once, into the cache of the tests. Without Java or Maven a test is skipped;
// with CI=true it fails.
package javareaders
