// Package peers runs the programs that package compare compares with sluice: Apache, Flume, HBase's
// Java client and load generators.
package peers
