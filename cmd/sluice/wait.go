package main

import (
	"errors"
	"fmt"
	"time"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/hdfs"
)

// retryLimit returns how long operations on a cluster are retried, 0 for no limit. An unattended
// process waits until the cluster is available again; for a command that a user waits for, --wait
// is the limit.
func (c *cli) retryLimit(unattended bool) time.Duration {
	if unattended {
		return 0
	}
	return c.Wait
}

// unreachable returns the hint for a cluster that did not answer within --wait. "": another error.
func (a *app) unreachable(err error) string {
	var table *rpc.UnreachableError
	var archive *hdfs.UnreachableError
	longer := fmt.Sprintf("--wait TIME waits longer than %s, --wait 0 until you interrupt it", a.cli.Wait)
	switch {
	case errors.As(err, &archive):
		return "check that HDFS runs, and that this host reaches the name nodes of --archive (or HADOOP_CONF_DIR); `sluice doctor` tries each step; " + longer
	case errors.As(err, &table) && errors.Is(err, region.ErrNoNode):
		return "check that HBase's master runs, and that the cluster's node in ZooKeeper is the one in --table (zookeeper.znode.parent); `sluice doctor` tries each step; " + longer
	case errors.As(err, &table):
		return "check that HBase runs, and that this host reaches the servers that --table (or HBASE_CONF_DIR) names and the region servers; `sluice doctor` tries each step; " + longer
	}
	return ""
}
