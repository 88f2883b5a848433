// Package compare measures sluice beside other programs: following many logs beside
// nxadm/tail and Flume, a web server with and without a reader of its logs, a host under
// load, HBase's own Java client, and Flume from log files to HBase and HDFS. It starts the
// sluice program that is measured as an operator does. Command sluice-bench runs it.
package compare
