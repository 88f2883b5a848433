package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/bench/measure"
	"sluice/bench/peers"
	"sluice/bench/sample"
)

// PathConfig are the parameters of MeasurePath: agents read existing logs and send them to one
// collector, which stores them in a real HBase and HDFS.
type PathConfig struct {
	Cluster peers.HBaseCluster
	Ways    []string // names for CheckWay
	// Hosts are the numbers of agents to measure; Flume is only measured with one.
	Hosts  []int
	Lines  int // of all hosts together
	Seed   uint64
	Rounds int
	// Compression is the agents' setting.
	Compression string
	Dir         string
	Peers       string // cache directory for Flume's jars
	Command     Command
	Say         func(what string)
}

// Path is the result of MeasurePath.
type Path struct {
	Lines  int        `json:"lines"`
	Rounds int        `json:"rounds"`
	Rows   []*PathRow `json:"rows"`
}

// PathRow is one way with a number of hosts.
type PathRow struct {
	Way   string `json:"way"`
	Hosts int    `json:"hosts"`
	// LinesPerSecond is for the time from the start of the agents. For sluice it ends when the
	// collector has stopped and every row and archive file is stored; for Flume when its sinks have
	// delivered the last event, with files still open.
	LinesPerSecond measure.Cost `json:"lines_per_second"`
	// AgentCPU is that of all agents together. All CPU times are of whole processes from their
	// start, user and system.
	AgentCPU     measure.Cost `json:"agent_cpu_seconds_per_million"`
	CollectorCPU measure.Cost `json:"collector_cpu_seconds_per_million"`
	ServersCPU   measure.Cost `json:"region_servers_cpu_seconds_per_million"`
	// Peaks are the maximum of all rounds and agents.
	AgentPeakBytes     int64 `json:"agent_peak_bytes"`
	CollectorPeakBytes int64 `json:"collector_peak_bytes"`
}

// pathRound is one round of a row.
type pathRound struct {
	wall, agents, collector, servers time.Duration
	agentPeak, collectorPeak         int64
}

// pathWay brings the lines of logs below dir, one directory for each host, to the cluster, and
// checks that they are stored.
type pathWay func(ctx context.Context, m *pathMeasurement, dir string, hosts []string) (pathRound, error)

// pathWays are the ways that can be measured.
var pathWays = map[string]pathWay{
	"typed":        sluiceWay("typed"),
	"packed":       sluiceWay("packed"),
	"flume-file":   flumeWay("file"),
	"flume-memory": flumeWay("memory"),
}

// CheckWay returns an error if there is no way with that name.
func CheckWay(name string) error {
	if pathWays[name] == nil {
		return fmt.Errorf("unknown way %q, the ways are: typed, packed (ours, by the table's layout), flume-file (durable), flume-memory", name)
	}
	return nil
}

type pathMeasurement struct {
	*PathConfig
	env     map[string]string // of the cluster
	servers []int             // process ids of the region servers
	tables  int               // number of tables created
}

// MeasurePath measures the ways in turn, beginning with another one in each round.
func MeasurePath(ctx context.Context, cfg PathConfig) (*Path, error) {
	m := &pathMeasurement{PathConfig: &cfg}
	var err error
	if m.env, err = cfg.Cluster.Environment(ctx); err != nil {
		return nil, err
	}
	if m.servers, err = cfg.Cluster.RegionServers(ctx); err != nil {
		return nil, err
	}
	p := &Path{Lines: cfg.Lines, Rounds: cfg.Rounds}
	for _, way := range cfg.Ways {
		for _, hosts := range cfg.Hosts {
			if hosts == 1 || !strings.HasPrefix(way, "flume") {
				p.Rows = append(p.Rows, &PathRow{Way: way, Hosts: hosts})
			}
		}
	}
	rounds := make([][]pathRound, len(p.Rows))
	for round := range cfg.Rounds {
		for i := range p.Rows {
			at := (i + round) % len(p.Rows)
			r, err := m.round(ctx, p.Rows[at], round)
			if err != nil {
				return nil, fmt.Errorf("%s with %d hosts: %w", p.Rows[at].Way, p.Rows[at].Hosts, err)
			}
			rounds[at] = append(rounds[at], r)
		}
	}
	for i, row := range p.Rows {
		row.summarize(rounds[i], int64(cfg.Lines))
	}
	return p, nil
}

func (row *PathRow) summarize(rounds []pathRound, lines int64) {
	million := func(of func(pathRound) time.Duration) measure.Cost {
		return measure.CostOf(rounds, func(r pathRound) float64 { return measure.PerMillion(of(r), lines) })
	}
	row.LinesPerSecond = measure.CostOf(rounds, func(r pathRound) float64 { return float64(lines) / r.wall.Seconds() })
	row.AgentCPU = million(func(r pathRound) time.Duration { return r.agents })
	row.CollectorCPU = million(func(r pathRound) time.Duration { return r.collector })
	row.ServersCPU = million(func(r pathRound) time.Duration { return r.servers })
	for _, r := range rounds {
		row.AgentPeakBytes = max(row.AgentPeakBytes, r.agentPeak)
		row.CollectorPeakBytes = max(row.CollectorPeakBytes, r.collectorPeak)
	}
}

func (m *pathMeasurement) round(ctx context.Context, row *PathRow, round int) (r pathRound, err error) {
	m.Say(fmt.Sprintf("%s, %d hosts, round %d", row.Way, row.Hosts, round+1))
	dir, err := os.MkdirTemp(m.Dir, row.Way)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	hosts := make([]string, row.Hosts)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("web%03d", i+1)
		lines := m.Lines / row.Hosts
		if i == 0 {
			lines += m.Lines % row.Hosts
		}
		if err := writeHostLogs(filepath.Join(dir, hosts[i]), m.Seed+uint64(i)<<8, lines); err != nil {
			return r, err
		}
	}
	before, err := peers.CPUOf(m.servers)
	if err != nil {
		return r, err
	}
	if r, err = pathWays[row.Way](ctx, m, dir, hosts); err != nil {
		return r, err
	}
	after, err := peers.CPUOf(m.servers)
	r.servers = after - before
	return r, err
}

// filesPerHost is the number of files with a host's lines.
const filesPerHost = 4

// writeHostLogs writes the logs of a host in files of equal numbers of lines, except for the first.
func writeHostLogs(dir string, seed uint64, lines int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for i := range filesPerHost {
		n := lines / filesPerHost
		if i == 0 {
			n += lines % filesPerHost
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("access-%d.log", i)))
		if err != nil {
			return err
		}
		if err := errors.Join(sample.Write(f, seed+uint64(i), n), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Print writes the result as text.
func (p *Path) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d lines from log files to HBase and HDFS; median of %d rounds (least in brackets)\n", p.Lines, p.Rounds)
	measure.WriteTable(&b, "way\thosts\tlines/s\tagents' CPU s a million\tcollector's\tregion servers'\tpeak MiB agent\tcollector", func(row func(string, ...any)) {
		for _, r := range p.Rows {
			row("%s\t%d\t%s\t%s\t%s\t%s\t%d\t%d", r.Way, r.Hosts, r.LinesPerSecond.Text(0), r.AgentCPU.Text(2), r.CollectorCPU.Text(2), r.ServersCPU.Text(1),
				r.AgentPeakBytes>>20, r.CollectorPeakBytes>>20)
		}
	})
	if i := slices.IndexFunc(p.Rows, func(r *PathRow) bool { return r.Way == "flume-file" }); i >= 0 {
		for _, r := range p.Rows {
			if r.Hosts == 1 && !strings.HasPrefix(r.Way, "flume") {
				fmt.Fprintf(&b, "%s: %.1f times durable Flume's lines/s\n", r.Way, r.LinesPerSecond.Median/p.Rows[i].LinesPerSecond.Median)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
