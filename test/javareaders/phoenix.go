package javareaders

import (
	"testing"

	"sluice/test/cluster"
)

// Phoenix runs statements over JDBC on a cluster with Phoenix, and returns the rows of each.
func Phoenix(t testing.TB, c *cluster.Cluster, statements ...string) [][]Row {
	t.Helper()
	need(t, "javac")
	classes := compile(t, c.Jars(), "Jdbc")
	args := append([]string{"jdbc:phoenix:" + c.ZooKeeper, "phoenix.schema.isNamespaceMappingEnabled=true", "--"}, statements...)
	out, err := c.Java([]string{"CLUSTER_CP=" + classes}, "Jdbc", args...)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parseRows(out, len(statements))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
