package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/test/javareaders"
)

// hiveSettings let Hive read lines as they are: archive.Pattern.HiveDDL.
var hiveSettings = []string{"textinputformat.record.delimiter=\n"}

// hiveCounts returns Hive's answers to counts about each tree, by the statements that sluice schema
// prints. It checks that Hive finds as many lines in the archive, and as many empty ones.
func hiveCounts(t *testing.T, logs []countedLog, trees, archives []string) (answers [][]string) {
	t.Helper()
	var script strings.Builder
	var queries, blank []string
	for i := range trees {
		name := fmt.Sprintf("log%d", i)
		ddl, err := command(t, "schema", "hive", "--name", name, "--table", "parquet:"+trees[i], "--archive", archives[i]).Output()
		if err != nil {
			t.Fatal(err)
		}
		script.Write(ddl)
		for _, q := range []string{
			"SELECT COUNT(*) FROM T",
			"SELECT COUNT(*) FROM T WHERE `status` >= 500",
			"SELECT `status`, COUNT(*) FROM T GROUP BY `status`",
			"SELECT COUNT(*) FROM T WHERE `time` IS NULL",
			"SELECT COUNT(*) FROM T WHERE `parse_error` IS NOT NULL",
			"SELECT COUNT(*) FROM T WHERE `user` IS NULL",
			"SELECT COUNT(*) FROM T WHERE `user` = ''",
			"SELECT COUNT(DISTINCT `client`), COUNT(DISTINCT `path`), COUNT(DISTINCT `agent`) FROM T",
			"SELECT SUM(`bytes`), MIN(`bytes`), MAX(`bytes`) FROM T",
			"SELECT `day`, COUNT(*) FROM T WHERE `time` IS NOT NULL GROUP BY `day`",
			"SELECT COUNT(*), SUM(IF(`logbody` = '', 1, 0)) FROM T_lines",
		} {
			queries = append(queries, strings.Replace(q, "FROM T", "FROM "+name, 1))
		}
		data := strings.TrimSuffix(trees[i], "/table")
		count := func(args ...string) string {
			out, err := command(t, append([]string{"scan", "--quiet", "--data", data, "--count"}, args...)...).Output()
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(string(out))
		}
		blank = append(blank, fmt.Sprintf("[[%s,%s]]", count(), count("--where", `logbody==""`)))
	}
	found := javareaders.Hive(t, hiveSettings, script.String(), queries...)
	each := len(counts) + 1
	for i, l := range logs {
		var texts []string
		for _, rows := range found[i*each : (i+1)*each] {
			texts = append(texts, rowsAsJSON(rows))
		}
		if got := texts[len(counts)]; got != blank[i] {
			t.Errorf("%s: Hive finds %s lines and empty ones in the archive, sluice scan %s", l.name, got, blank[i])
		}
		answers = append(answers, texts[:len(counts)])
	}
	return answers
}

// rowsAsJSON returns rows of numbers as compareAnswers compares them.
func rowsAsJSON(rows []javareaders.Row) string {
	slices.SortFunc(rows, func(a, b javareaders.Row) int { // null first
		key := func(row javareaders.Row) string { return fmt.Sprintf("%v %20v", row[0] != "null", row[0]) }
		return strings.Compare(key(a), key(b))
	})
	var texts []string
	for _, row := range rows {
		texts = append(texts, "["+strings.Join(row, ",")+"]")
	}
	return "[" + strings.Join(texts, ",") + "]"
}
