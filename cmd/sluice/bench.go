package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"sluice/bench"
	"sluice/bench/measure"
	"sluice/bench/sample"
	"sluice/ingest/logfile"
	"sluice/parse"
)

type benchCmd struct {
	What       string `arg:"" optional:"" default:"all" enum:"parse,table,archive,run,query,all" help:"parse, table, archive, run (a whole run --once), query (questions about a columnar table, beside DuckDB and chdb), or all but query."`
	File       string `arg:"" optional:"" help:"Log to measure with, instead of the sample log."`
	Lines      int    `default:"1000000" placeholder:"N" help:"Lines of the sample log."`
	Seed       uint64 `default:"1" placeholder:"N" help:"Seed of the sample log: the same seed gives the same log."`
	Format     string `default:"auto" placeholder:"F" help:"LogFormat string, or a name: auto (recognized from the first lines), ${formats}."`
	Rounds     int    `default:"5" placeholder:"N" help:"Measurements of each kind; the median and the minimum are printed."`
	JSON       bool   `help:"Print JSON instead of tables."`
	Dir        string `placeholder:"DIR" help:"Directory for temporary files, about twice the log's size (default: the system's)."`
	queryFlags `group:"query"`
	CPUProfile string `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile, for go tool pprof, of the one measurement that is named. A run is then measured in this process."`
}

// Help returns the extended help text for kong.
func (benchCmd) Help() string {
	return `Measures this machine on a sample log that it makes from a seed, or on yours:

    sluice bench
    sluice bench parse access.log
    sluice bench query --duckdb venv/bin/duckdb --python venv/bin/python

Parser, table and archive are measured on the log's first 64 MiB, in memory; run is
the whole of sluice run --once on all of it, in a process of its own. On a machine
with other work compare ratios within one output, not figures of two. The program
sluice-bench measures sluice beside other programs.`
}

func (c *benchCmd) Run(a *app) error {
	if c.Lines < 1 || c.Rounds < 1 {
		return usage("--lines and --rounds must be at least 1")
	}
	if c.CPUProfile != "" && c.What == "query" {
		return usage("--cpuprofile cannot be used with query, which starts processes")
	}
	if c.CPUProfile != "" && c.What == "all" {
		return usage("--cpuprofile is for one measurement: sluice bench run --cpuprofile %s", c.CPUProfile)
	}
	if c.Format != parse.AutoName {
		if _, err := parse.Lookup(c.Format, time.UTC); err != nil {
			return usageError{err}
		}
	}
	if c.File != "" {
		if _, err := logfile.Look(c.File); err != nil {
			return usageError{err}
		}
	}
	dir, err := os.MkdirTemp(c.Dir, "sluice-bench-")
	if err != nil {
		return usage("--dir: %w", err)
	}
	result, err := c.measure(a, dir)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	return c.print(a, result)
}

// print writes a result as text or JSON.
func (c *benchCmd) print(a *app, result interface{ Print(io.Writer) error }) error {
	if !c.JSON {
		return result.Print(a.stdout)
	}
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(result)
}

// log returns the path and size of the log that is measured. It generates the sample log in dir if
// no file was given.
func (c *benchCmd) log(dir string) (string, bench.LogSize, error) {
	path := c.File
	if path == "" {
		path = filepath.Join(dir, "sample.log")
		if err := c.writeSample(path); err != nil {
			return "", bench.LogSize{}, fmt.Errorf("write the sample log: %w\nhint: give another directory with --dir, or fewer --lines", err)
		}
	}
	size, err := bench.Size(path)
	if c.File == "" {
		size.Path, size.Seed = "", c.Seed
	}
	return path, size, err
}

func (c *benchCmd) writeSample(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(sample.Write(f, c.Seed, c.Lines), f.Close())
}

func (c *benchCmd) measure(a *app, dir string) (r *bench.Result, err error) {
	path, size, err := c.log(dir)
	if err != nil {
		return nil, err
	}
	r = &bench.Result{Log: size, Rounds: c.Rounds, Machine: measure.ThisMachine()}
	if c.What == "query" {
		r.Query, err = bench.MeasureQuery(a.ctx, c.queryConfig(a, path, size.Lines, dir))
		return r, err
	}
	stop, err := c.profile()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	all := c.What == "all"
	if all || c.What == "run" { // first, while this process has little memory: see bench.Child
		if r.Run, err = bench.MeasureRun(a.ctx, c.runner(a), path, c.Format, size.Lines, dir, c.Rounds); err != nil {
			return nil, err
		}
	}
	if c.What == "run" {
		return r, nil
	}
	lines, err := bench.Load(path, c.Format)
	if err != nil {
		return nil, err
	}
	if all || c.What == "parse" {
		r.Parse, err = bench.MeasureParse(a.ctx, lines, c.Rounds)
	}
	if err == nil && (all || c.What == "table") {
		r.Table, err = bench.MeasureTable(a.ctx, lines, dir, c.Rounds)
	}
	if err == nil && (all || c.What == "archive") {
		r.Archive, err = bench.MeasureArchive(a.ctx, lines, dir, c.Rounds)
	}
	return r, err
}

// runner returns how a whole run is executed: in its own process, or in this one for a profile.
func (c *benchCmd) runner(a *app) bench.Runner {
	if c.CPUProfile == "" {
		return bench.Child
	}
	return bench.InProcess(func(ctx context.Context, args []string) ([]byte, error) {
		var out bytes.Buffer
		if code := run(ctx, args, a.stdin, &out, a.stderr); code != 0 {
			return nil, fmt.Errorf("the run ended with status %d", code)
		}
		return out.Bytes(), nil
	})
}

// profile starts the CPU profile if one was requested; stop ends it and closes the file.
func (c *benchCmd) profile() (stop func() error, err error) {
	if c.CPUProfile == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(c.CPUProfile)
	if err != nil {
		return nil, usage("--cpuprofile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("--cpuprofile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
