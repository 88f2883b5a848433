// Package region finds things in a cluster: the server of a region, of the meta
// table, the master. It asks ZooKeeper, or the servers themselves, and the meta
// table; what it has found it keeps until somebody says that it was wrong.
package region
