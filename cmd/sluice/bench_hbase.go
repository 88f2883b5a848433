package main

import (
	"context"
	"os/exec"

	"sluice/bench"
	"sluice/bench/peers"
	"sluice/schema"
)

// hbaseBenchFlags are those of `bench hbase`.
type hbaseBenchFlags struct {
	Cluster     string   `default:"test/cluster/cluster" placeholder:"FILE" help:"hbase: the script that started the cluster; which one, say CLUSTER_HOME and what else it reads."`
	Layouts     []string `default:"typed" placeholder:"NAME" help:"hbase: layouts to measure, one after another."`
	Clients     []string `default:"sluice,java-buffered,java-async,java-one,java-each" placeholder:"NAME" help:"hbase: clients to measure in turn: sluice, java-buffered (BufferedMutator), java-async (AsyncBufferedMutator), and scanning java-one (a scanner), java-each (one a salt)."`
	Compression string   `default:"NONE" placeholder:"C" help:"hbase: the column family's compression."`
}

// hbase measures our client beside HBase's own.
func (c *benchCmd) hbase(a *app) error {
	for _, name := range c.Clients {
		if err := bench.CheckHBaseClient(name); err != nil {
			return usageError{err}
		}
	}
	for _, name := range c.Layouts {
		if _, err := schema.NewLayout(name); err != nil {
			return usageError{err}
		}
	}
	return c.inFolder(func(dir string) error {
		path, _, err := c.log(dir)
		if err != nil {
			return err
		}
		result, err := bench.MeasureHBase(a.ctx, bench.HBaseConfig{
			Cluster: peers.HBaseCluster{Script: c.Cluster}, Log: path, Format: c.Format,
			Layouts: c.Layouts, Compression: c.Compression, Clients: c.Clients, Rounds: c.Rounds, Dir: dir, CPUProfile: c.CPUProfile,
			Spawn: func(ctx context.Context) *exec.Cmd { return spawnSelf(ctx, "bench-child", "hbase") },
			Say:   func(what string) { a.log.Info("measuring", "what", what) },
		})
		if err != nil {
			return err
		}
		return c.print(a, result)
	})
}
