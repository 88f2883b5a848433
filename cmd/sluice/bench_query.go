package main

import "sluice/bench"

// queryFlags are the flags of `bench query`.
type queryFlags struct {
	DuckDB string `name:"duckdb" default:"duckdb" placeholder:"FILE" help:"query: DuckDB's command line (pip install duckdb-cli); skipped if it is missing."`
	Python string `default:"python3" placeholder:"FILE" help:"query: a Python with chdb (pip install chdb); skipped if it is missing."`
}

func (c *benchCmd) queryConfig(a *app, path string, lines int64, dir string) bench.QueryConfig {
	return bench.QueryConfig{Sluice: bench.Child, Log: path, Format: c.Format, Dir: dir, Lines: lines, Rounds: c.Rounds,
		DuckDB: c.DuckDB, Python: c.Python, Say: func(what string) { a.log.Info("measuring", "operation", what) }}
}
