package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/schema"
	"sluice/test/javareaders"
)

// phoenix creates the view that sluice schema prints, and returns the answers of queries on it. It
// checks that a range of time reads ranges of the key only.
func (r *hbaseRig) phoenix(layout string) (answers []string) {
	r.t.Helper()
	ddl := r.sluice("schema", "phoenix", "--table", r.url)
	example := javareaders.Example(ddl)
	if example == "" {
		r.t.Fatalf("no example of a query in\n%s", ddl)
	}
	namespace, name, _ := strings.Cut(r.name, ":")
	view := fmt.Sprintf(`"%s"."%s"`, namespace, name)
	statements := append([]string{fmt.Sprintf(`CREATE SCHEMA IF NOT EXISTS "%s"`, namespace)}, javareaders.Statements(ddl)...)
	first := len(statements)
	for _, q := range phoenixQueries(r.t, layout) {
		if q == "" {
			q = "SELECT '" + notAnswerable + "' FROM T LIMIT 1"
		}
		statements = append(statements, strings.Replace(q, "FROM T", "FROM "+view, 1))
	}
	statements = append(statements, "EXPLAIN "+example, example)
	rows := javareaders.Phoenix(r.t, r.c, statements...)
	for i := range hbaseQuestions {
		answers = append(answers, sortedRows(rows[first+i], ""))
	}
	last := len(rows) - 1
	plan := sortedRows(rows[last-1], "")
	want := "SKIP SCAN ON 8 RANGES"
	if layout == schema.LayoutFlume {
		want = "RANGE SCAN OVER"
	}
	if !strings.Contains(plan, want) {
		r.t.Errorf("%s: the plan of the printed query does not contain %s: %s", layout, want, plan)
	}
	r.t.Logf("%s: EXPLAIN %s\n%s", layout, example, plan)
	if len(rows[last]) == 0 {
		r.t.Errorf("%s: the printed query finds no row: %s", layout, example)
	}
	return answers
}

// phoenixQueries returns the question of hbaseQuestions in Phoenix's SQL; "" cannot be asked.
func phoenixQueries(t *testing.T, layout string) []string {
	from, to := nanoseconds(t, rangeFrom), nanoseconds(t, rangeTo)
	lines, status, size, undated := `"salt" < X'FF'`, `"status"`, `SUM("bytes")`, `"event_ns" = 0`
	ranged := fmt.Sprintf(`"salt" IN (X'00', X'01', X'02', X'03', X'04', X'05', X'06', X'07') AND "event_ns" >= %d AND "event_ns" < %d`, from, to)
	positive := `"bytes" <= 9223372036854775807`
	if layout == schema.LayoutFlume {
		lines, status, size, undated = `"rowkey" < ':'`, `TO_NUMBER("status")`, `SUM(TO_NUMBER("size"))`, `"rowkey" < '0000000000000000001'`
		ranged = fmt.Sprintf(`"rowkey" >= '%019d' AND "rowkey" < '%019d'`, from, to)
		positive = `TO_NUMBER("size") >= 0`
	}
	count := "SELECT COUNT(*) FROM T WHERE " + lines + " AND "
	return []string{
		"SELECT COUNT(*) FROM T WHERE " + lines,
		fmt.Sprintf("SELECT %s, COUNT(*) FROM T WHERE %s GROUP BY %s", status, lines, status),
		"SELECT COUNT(*) FROM T WHERE " + ranged,
		`SELECT "host", COUNT(*) FROM T WHERE ` + lines + ` GROUP BY "host"`,
		fmt.Sprintf("SELECT %s FROM T WHERE %s AND %s", size, lines, positive),
		"", // Phoenix has no empty text
		"",
		count + `"user" IS NULL`,
		count + `"logbody" IS NULL`,
		count + undated,
		count + `"parse_error" IS NOT NULL`,
		fmt.Sprintf(`SELECT "logbody" FROM T WHERE %s AND %s = 7`, lines, status),
	}
}

func nanoseconds(t *testing.T, text string) int64 {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment.UnixNano()
}
