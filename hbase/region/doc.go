// Package region locates the servers of a cluster: the server of a region, of the meta table, the
// master. A Registry is ZooKeeper, or the servers themselves; a Cluster finds and calls servers, a
// Table caches the regions of one table until a call fails.
package region
