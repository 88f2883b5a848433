package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sluice/bench/compare"
	"sluice/bench/peers"
	"sluice/bench/sample"
	"sluice/ingest/logfile"
	"sluice/parse"
	"sluice/schema"
)

// clusterFlags are the flags that hbase and path share.
type clusterFlags struct {
	Cluster string `default:"test/cluster/cluster" placeholder:"FILE" help:"The script that started the cluster; CLUSTER_HOME and the script's other variables say which cluster."`
	Lines   int    `default:"1000000" placeholder:"N" help:"Lines of the sample log."`
}

func (c *clusterFlags) check() error {
	if c.Lines < 1 {
		return usage("--lines must be at least 1")
	}
	return nil
}

type hbaseCmd struct {
	hbaseFlags
	Clients []string `default:"sluice,java-buffered,java-async,java-one,java-each" placeholder:"NAME" help:"Clients to measure in turn: sluice, sluice-rows (writes the file of rows that Java writes, so that its time has no parsing), java-buffered (BufferedMutator), java-async (AsyncBufferedMutator), sluice-bulk and java-bulk (files that are loaded), and scanning java-one (one scanner), java-each (one scanner for each salt)."`
	Compact bool     `help:"Measure the first major compaction after the last round of each client, too."`
}

// Run measures sluice's HBase client and HBase's own Java client in turn.
func (c *hbaseCmd) Run(a *app) error { return c.measure(a, c.Clients, c.Compact) }

type loadCmd struct {
	hbaseFlags
	Clients []string `default:"sluice,sluice-bulk,java-bulk" placeholder:"NAME" help:"Clients to measure in turn: sluice (Put), sluice-bulk, java-bulk (HBase's writer of files and BulkLoadHFiles)."`
}

// Run measures bulk loads beside Put, with the major compaction that follows.
func (c *loadCmd) Run(a *app) error { return c.measure(a, c.Clients, true) }

// hbaseFlags are the flags that hbase and load share.
type hbaseFlags struct {
	clusterFlags
	File        string   `arg:"" optional:"" help:"Log to measure with, instead of the sample log."`
	Format      string   `default:"auto" placeholder:"F" help:"LogFormat string, or a name, or auto (recognized from the first lines)."`
	Layouts     []string `default:"typed" placeholder:"NAME" help:"Layouts to measure, one after another."`
	Compression string   `default:"NONE" placeholder:"C" help:"Compression of the column family."`
	CPUProfile  string   `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile of sluice's client, for go tool pprof: one file for each layout and phase."`
}

func (c *hbaseFlags) measure(a *app, clients []string, compact bool) error {
	if err := c.valid(clients); err != nil {
		return usageError{err}
	}
	return a.inDir(func(dir string) error {
		path, err := c.log(a, dir)
		if err != nil {
			return err
		}
		result, err := compare.MeasureHBase(a.ctx, compare.HBaseConfig{
			Cluster: peers.HBaseCluster{Script: c.Cluster}, Log: path, Format: c.Format,
			Layouts: c.Layouts, Compression: c.Compression, Clients: clients, Rounds: a.Rounds, Compact: compact, Dir: dir, CPUProfile: c.CPUProfile,
			Spawn: spawn("hbase"), Say: a.say,
		})
		if err != nil {
			return err
		}
		return a.print(result)
	})
}

func (c *hbaseFlags) valid(clients []string) error {
	if err := c.check(); err != nil {
		return err
	}
	for _, name := range clients {
		if err := compare.CheckHBaseClient(name); err != nil {
			return err
		}
	}
	for _, name := range c.Layouts {
		if _, err := schema.NewLayout(name); err != nil {
			return err
		}
	}
	if c.Format != parse.AutoName {
		if _, err := parse.Lookup(c.Format, time.UTC); err != nil {
			return err
		}
	}
	if c.File != "" {
		_, err := logfile.Look(c.File)
		return err
	}
	return nil
}

// log returns the path of the log to measure with; without one, it writes the sample log.
func (c *hbaseFlags) log(a *app, dir string) (string, error) {
	if c.File != "" {
		return c.File, nil
	}
	path := filepath.Join(dir, "sample.log")
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(sample.Write(f, a.Seed, c.Lines), f.Close())
	}
	if err != nil {
		return "", fmt.Errorf("write the sample log: %w; --dir names another directory, --lines makes it shorter", err)
	}
	return path, nil
}

type pathCmd struct {
	clusterFlags
	Ways            []string `default:"typed,packed" placeholder:"NAME" help:"Ways to measure in turn: typed, packed (sluice, by the table's layout), flume-file (durable), flume-memory."`
	Hosts           []int    `default:"1" placeholder:"N" help:"Numbers of agents, in turn; Flume is measured with one."`
	WireCompression string   `default:"s2" enum:"none,s2,zstd" placeholder:"NAME" help:"The agents' --compression: none, s2 or zstd."`
}

// Run measures sluice and Flume from log files to HBase and HDFS.
func (c *pathCmd) Run(a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	for _, name := range c.Ways {
		if err := compare.CheckWay(name); err != nil {
			return usageError{err}
		}
	}
	for _, n := range c.Hosts {
		if n < 1 {
			return usage("--hosts must be at least 1")
		}
	}
	return a.withPeers(func(sluice compare.Command, peersDir, dir string) error {
		result, err := compare.MeasurePath(a.ctx, compare.PathConfig{
			Cluster: peers.HBaseCluster{Script: c.Cluster}, Ways: c.Ways, Hosts: c.Hosts, Lines: c.Lines, Seed: a.Seed, Rounds: a.Rounds,
			Compression: c.WireCompression, Dir: dir, Peers: peersDir, Command: sluice, Say: a.say,
		})
		if err != nil {
			return err
		}
		return a.print(result)
	})
}
