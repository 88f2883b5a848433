package main

import (
	"fmt"
	"strings"
	"testing"

	"sluice/schema"
	"sluice/test/javareaders"
)

// hive creates the table and view that sluice schema prints, and returns the answers of queries on
// the view.
func (r *hbaseRig) hive(layout string) (answers []string) {
	r.t.Helper()
	_, name, _ := strings.Cut(r.name, ":")
	script := r.sluice("schema", "hive", "--table", r.url)
	host, port, _ := strings.Cut(r.c.ZooKeeper, ":")
	settings := []string{"hbase.zookeeper.quorum=" + host, "hbase.zookeeper.property.clientPort=" + port}
	var queries []string
	for _, q := range hiveQueries(r.t, layout) {
		queries = append(queries, strings.Replace(q, "FROM T", "FROM `"+name+"`", 1))
	}
	for _, rows := range javareaders.Hive(r.t, settings, script, queries...) {
		answers = append(answers, sortedRows(rows, ""))
	}
	return answers
}

// hiveQueries returns the questions of hbaseQuestions in Hive's SQL.
func hiveQueries(t *testing.T, layout string) []string {
	from, to := nanoseconds(t, rangeFrom), nanoseconds(t, rangeTo)
	status, size, undated := "`status`", "`bytes`", "`time` IS NULL"
	ranged := fmt.Sprintf("`time` >= %d AND `time` < %d", from, to)
	if layout == schema.LayoutFlume {
		status, size, undated = "CAST(`status` AS BIGINT)", "CAST(`size` AS BIGINT)", "`rowkey` < '0000000000000000001'"
		ranged = fmt.Sprintf("`rowkey` >= '%019d' AND `rowkey` < '%019d'", from, to)
	}
	return []string{
		"SELECT COUNT(*) FROM T",
		fmt.Sprintf("SELECT %s, COUNT(*) FROM T GROUP BY %s", status, status),
		"SELECT COUNT(*) FROM T WHERE " + ranged,
		"SELECT `host`, COUNT(*) FROM T GROUP BY `host`",
		fmt.Sprintf("SELECT SUM(%s) FROM T WHERE %s >= 0", size, size),
		"SELECT COUNT(*) FROM T WHERE `user` IS NULL",
		"SELECT COUNT(*) FROM T WHERE `user` = ''",
		"SELECT COUNT(*) FROM T WHERE `user` IS NULL OR `user` = ''",
		"SELECT COUNT(*) FROM T WHERE LENGTH(`logbody`) = 0",
		"SELECT COUNT(*) FROM T WHERE " + undated,
		"SELECT COUNT(*) FROM T WHERE `parse_error` IS NOT NULL",
		fmt.Sprintf("SELECT LOWER(HEX(`logbody`)) FROM T WHERE %s = 7", status),
	}
}
