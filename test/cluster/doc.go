// Package cluster gives tests a real HDFS, ZooKeeper and HBase on this machine. The script in this
// directory starts them from Maven's jars, each daemon as a process that can be killed, paused and
// started separately.
//
// Tests share two clusters, a plain one and one with Kerberos or TLS. Their ports and directories
// (~/.cache/sluice-tests) differ from those of a cluster that a user started with the script. The
// first test that calls Start starts an empty cluster, which takes half a minute. It stops when the
// last process that used it has ended in any way: users hold a kernel lock, for which `cluster
// reap` waits. Under `cluster hold go test ./...`, as in make test, clusters keep running between
// packages.
//
// Without Java or Maven such tests are skipped; with CI=true they fail.
package cluster
