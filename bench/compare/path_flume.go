package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sluice/bench/measure"
	"sluice/bench/peers"
	"sluice/schema"
)

// flumeWay returns the way with Flume and channels of a kind.
func flumeWay(channel string) pathWay {
	return func(ctx context.Context, m *pathMeasurement, dir string, hosts []string) (r pathRound, err error) {
		jars, err := peers.PathJars(ctx, m.Peers)
		if err != nil {
			return r, err
		}
		layout, err := schema.NewLayout(schema.LayoutTyped)
		if err != nil {
			return r, err
		}
		name, drop, err := m.table(ctx, layout.Name)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, drop()) }()
		home := filepath.Join(dir, "flume")
		if err := os.Mkdir(home, 0o755); err != nil {
			return r, err
		}
		way := peers.FlumePath{
			Channel: channel, Logs: filepath.Join(dir, hosts[0]), Table: name, Family: layout.Family,
			Conf: m.env["HBASE_CONF_DIR"], Archive: "hdfs://" + m.env["NAMENODE"] + "/" + name,
		}
		if err := way.StartCollector(ctx, jars, home); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, way.Collector.Stop()) }()
		began := time.Now()
		if err := way.StartAgent(ctx, jars, home); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, way.Agent.Stop()) }()
		var stored int64
		count := func() (int64, error) {
			stored, err = way.Stored(ctx)
			return stored, err
		}
		if err := awaitLines(ctx, int64(m.Lines), runnerPoll, flumeStalls, count); err != nil {
			return r, err
		}
		r.wall = time.Since(began)
		if stored < int64(m.Lines) {
			return r, fmt.Errorf("flume stored %d events of %d", stored, m.Lines)
		}
		r.agents, r.agentPeak, err = usageOf(way.Agent.PID())
		if err != nil {
			return r, err
		}
		r.collector, r.collectorPeak, err = usageOf(way.Collector.PID())
		return r, err
	}
}

// flumeStalls is the time without a new event after which waiting fails.
const flumeStalls = 2 * time.Minute

// usageOf returns the CPU time and peak memory of a running process.
func usageOf(pid int) (used time.Duration, peak int64, err error) {
	if used, err = peers.CPU(pid); err != nil {
		return 0, 0, err
	}
	peak, err = measure.PeakBytes(pid)
	return used, peak, err
}
