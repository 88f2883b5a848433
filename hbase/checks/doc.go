// Package checks examines a cluster of HBase's and one of its tables for package
// doctor: log-in, ZooKeeper, master, region servers, layout, regions, and a row
// that is written, read and deleted on each of them. Nothing is tried twice, and
// nothing is left behind.
package checks
