// Package checks checks an HBase cluster and one of its tables for package doctor: log-in,
// ZooKeeper, master, region servers, layout, regions, and a row that is written, read and deleted
// on each of them. No step is retried, and nothing is left behind.
package checks
