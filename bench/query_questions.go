package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// question is a query as flags of sluice and in SQL. Its last column is compared.
type question struct {
	name     string
	flags    []string
	sql      string
	rowsOnly bool // compare only the number of rows
}

// dialect maps placeholders ($name) to the text of a program.
type dialect map[string]string

func (d dialect) replace(sql string) string {
	for name, text := range d {
		sql = strings.ReplaceAll(sql, "$"+name, text)
	}
	return sql
}

func duckDBDialect(table string) dialect {
	return dialect{"table": "read_parquet('" + filepath.Join(table, "*", "*", "*.parquet") + "', union_by_name = true, hive_partitioning = false)",
		"hour": "date_trunc('hour', time)", "distinct": "count(DISTINCT client)", "p95": "quantile_disc(bytes, 0.95)",
		"from": "TIMESTAMPTZ '", "end": "+00'"}
}

func chdbDialect(table string) dialect {
	return dialect{"table": "file('" + filepath.Join(table, "*", "*", "*.parquet") + "', Parquet)",
		"hour": "toStartOfHour(time)", "distinct": "uniqExact(client)", "p95": "quantileExactLow(0.95)(bytes)",
		"from": "toDateTime64('", "end": "', 9, 'UTC')"}
}

// wantedClientRows is the approximate number of rows of the client in the query for one client.
const wantedClientRows = 1132

// questions returns the queries of the benchmark. It reads the table first, to choose an hour in
// the middle and a client.
func (cfg *QueryConfig) questions(ctx context.Context, data string) ([]question, error) {
	scan := func(flags ...string) ([][]string, error) {
		out, _, err := cfg.Sluice(ctx, append([]string{"--quiet", "--data", data, "scan", "--output", "csv"}, flags...))
		if err != nil {
			return nil, err
		}
		return csv.NewReader(bytes.NewReader(out)).ReadAll()
	}
	rows, err := scan("--min", "time", "--max", "time")
	if err != nil {
		return nil, err
	}
	first, err1 := time.Parse(time.RFC3339Nano, rows[1][1])
	last, err2 := time.Parse(time.RFC3339Nano, rows[1][2])
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("the log's lines have no times: %q", rows[1])
	}
	hour := first.Add(last.Sub(first) / 2).UTC().Truncate(time.Hour)
	if rows, err = scan("--top", "client", "--limit", "1000"); err != nil {
		return nil, err
	}
	client, best := "", int64(1<<62)
	for _, row := range rows[1:] {
		n, err := strconv.ParseInt(row[1], 10, 64)
		if off := max(n-wantedClientRows, wantedClientRows-n); err == nil && row[0] != "" && off < best {
			client, best = row[0], off
		}
	}
	from, to := hour.Format(time.DateTime), hour.Add(time.Hour).Format(time.DateTime)
	return []question{
		{"count all", []string{"--count"}, "SELECT count(*) FROM $table", false},
		{"5xx in one hour", []string{"--count", "--status", "5xx", "--from", hour.Format(time.RFC3339), "--to", hour.Add(time.Hour).Format(time.RFC3339)},
			"SELECT count(*) FROM $table WHERE status BETWEEN 500 AND 599 AND time >= $from" + from + "$end AND time < $from" + to + "$end", false},
		{"by hour", []string{"--by", "hour"}, "SELECT $hour AS hour, count(*) FROM $table GROUP BY 1 ORDER BY 1", false},
		{"top 10 paths", []string{"--top", "path"}, "SELECT path, count(*) FROM $table GROUP BY 1 ORDER BY 2 DESC LIMIT 10", false},
		{"unique clients", []string{"--distinct", "client"}, "SELECT count(*), $distinct FROM $table", false},
		{"bytes by status", []string{"--by", "status", "--sum", "bytes"}, "SELECT status, count(*), sum(bytes) FROM $table GROUP BY 1", false},
		{"p95 of bytes", []string{"--quantile", "bytes:0.95"}, "SELECT count(*), $p95 FROM $table", false},
		{"one client's rows", []string{"--client", client}, "SELECT * FROM $table WHERE client = '" + strings.ReplaceAll(client, "'", "''") + "' ORDER BY time", true},
	}, nil
}
