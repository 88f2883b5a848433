// Package collectortest has a table and an archive in memory, and a log, for tests of a collector
// and of what passes lines to it.
package collectortest
