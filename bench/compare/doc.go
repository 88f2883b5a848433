// Package compare compares sluice with other programs: following many logs with nxadm/tail and
// Flume; a web server with and without a reader of its logs; a host under load; HBase's Java
// client; and Flume from log files to HBase and HDFS. It starts sluice with an operator's usual
// settings. Command sluice-bench runs the comparisons.
package compare
