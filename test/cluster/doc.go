// Package cluster gives tests a real HDFS, ZooKeeper and HBase on this machine,
// which the script in this folder starts from Maven's jars, each daemon a
// process of its own, to be killed, paused and started again one by one.
//
// Tests share two clusters, a plain one and one with Kerberos or TLS, on ports
// and in folders (~/.cache/sluice-tests) of their own, beside one that somebody
// started by hand. The first test that asks starts one, in half a minute, with
// nothing in it. It stops when the last process that used it has ended, however
// that ended: the users' locks are the kernel's, and a `cluster reap` waits for
// them. Under `cluster hold go test ./...`, as make test says it, clusters stay
// from one package to the next.
//
// Without Java or Maven such tests are left out; with CI=true they fail.
package cluster
