// Package javareaders runs other programs on the Java platform that read what sluice stored, for
// tests: Hive. It answers the same questions as sluice scan, so that a test can compare them.
//
// The programs are in java/.
// Maven downloads jars once, into the cache of the tests. Without Java or Maven a test is skipped;
// with CI=true it fails.
package javareaders
