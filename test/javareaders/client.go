package javareaders

import (
	"fmt"
	"testing"

	"sluice/test/cluster"
)

// Lines are the lines of a table in HBase that a reader is asked for. From and To bound the time
// range, in nanoseconds since 1970.
type Lines struct {
	Table, Layout string
	From, To      int64
}

// Client returns the answers of HBase's Java client to the given number of questions.
func Client(t testing.TB, c *cluster.Cluster, l Lines, questions int) [][]Row {
	t.Helper()
	need(t, "javac")
	classes := compile(t, c.Jars(), "Lines")
	out, err := c.Java([]string{"CLUSTER_CP=" + classes}, "Lines", l.Table, l.Layout, fmt.Sprint(l.From), fmt.Sprint(l.To))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parseRows(out, questions)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
