package main

import (
	"sluice/bench"
	"sluice/bench/peers"
)

// pathFlags are those of `bench path`; some are of `bench hbase` and `bench tail`, too.
type pathFlags struct {
	Ways            []string `default:"typed,packed" placeholder:"NAME" help:"path: ways to measure in turn: typed, packed (ours, by the table's layout), flume-file (durable), flume-memory."`
	Hosts           []int    `default:"1" placeholder:"N" help:"path: how many agents, in turn; Flume is measured with one."`
	WireCompression string   `default:"s2" enum:"none,s2,zstd" placeholder:"NAME" help:"path: the agents' --compression: none, s2 or zstd."`
}

// path measures the whole path, from log files to HBase and HDFS.
func (c *benchCmd) path(a *app) error {
	for _, name := range c.Ways {
		if err := bench.CheckWay(name); err != nil {
			return usageError{err}
		}
	}
	for _, n := range c.Hosts {
		if n < 1 {
			return usage("--hosts takes 1 or more")
		}
	}
	return c.inFolder(func(dir string) error {
		cfg := bench.PathConfig{
			Cluster: peers.HBaseCluster{Script: c.Cluster}, Ways: c.Ways, Hosts: c.Hosts, Lines: c.Lines, Seed: c.Seed, Rounds: c.Rounds,
			Compression: c.WireCompression, Dir: dir, Command: spawnSelf, Say: func(what string) { a.log.Info("measuring", "what", what) },
		}
		var err error
		if cfg.Peers, err = c.peersFolder(); err != nil {
			return err
		}
		result, err := bench.MeasurePath(a.ctx, cfg)
		if err != nil {
			return err
		}
		return c.print(a, result)
	})
}
