package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sluice/hbase"
	"sluice/hdfs"
	"sluice/ingest/agent"
)

const (
	webHosts, collectorCount = 3, 2

	// Limits of resident memory. An agent has 8 MiB of unacknowledged batches and Go's overhead, a
	// collector the memory of a follower (archive.go) and the frames of all connections.
	maxAgentRSSBytes     = 64 << 20
	maxReceivingRSSBytes = 256 << 20

	// wayGap is the longest pause between two faults of links and processes of sluice, which
	// recover within seconds.
	wayGap = 10 * time.Second
	// failoverAfter is shorter than most faults, so that agents change their collector often.
	failoverAfter = "3s"
	// spoolMax is the limit of a collector's spool in MiB: less than what arrives in two minutes,
	// so that reading stops while the table is unavailable.
	spoolMax = "4"
)

// Agents tests agents and collectors: three hosts with growing, rotated logs, an agent on each, and
// two collectors that all use. The connections between them are disturbed, and agents, collectors
// and the cluster's daemons are killed and paused.
func Agents(ctx context.Context, c Config) (err error) {
	run, err := c.agents(ctx)
	defer func() { err = errors.Join(err, run.close()) }()
	if err != nil {
		return err
	}
	ways, sinks := AgentFaults(run.hosts, run.collectors, run.archived.lose), SinkFaults(c.Seed)
	free, plan := planOf(c.Seed, ways, c.Length, wayGap), Plan(^c.Seed, sinks, c.Length) // with other seeds, or both plans would begin at the same time
	switch all := slices.Concat(ways, sinks); {
	case c.Replay != "":
		if plan, err = ParsePlan(c.Replay, all); err != nil {
			return err
		}
		isFree := func(e Event) bool {
			return slices.ContainsFunc(ways, func(f Fault) bool { return f.Name == e.Fault.Name })
		}
		free = slices.DeleteFunc(slices.Clone(plan), func(e Event) bool { return !isFree(e) })
		plan = slices.DeleteFunc(plan, isFree)
	case c.Draw != nil:
		free, plan = c.Draw(all), nil
	}
	for _, e := range slices.Concat(free, plan) {
		c.Journal.Say("plan", fmt.Sprintf("%6.1f s: %s for %v", e.At.Seconds(), e.Fault.Name, e.Hold.Round(100*time.Millisecond)))
	}
	a := run.archived
	soak := &Soak{
		World:  &World{Cluster: c.Cluster, Admin: run.admin, Key: run.key, Journal: c.Journal},
		Plan:   plan,
		Free:   free,
		Length: c.Length,
		Loads:  []Load{run},
		Watch:  run.watch,
		Report: run.report,
		Done:   run.stored,
		Checks: []Check{
			{"every agent's checkpoint says that all is stored", run.remembered},
			{"no segment is left in the spools", a.emptySpools},
			{"no temporary file and no open lease is left", a.tidy},
			{"nothing differs but ranges that are archived twice", run.repairDoubles},
			{"for every host and day the archive has the logs' lines", a.lines},
			{"members are whole, ranges meet", a.sound},
			{"the table has a row for each line", run.rows},
			{"sluice audit finds no difference", run.audit},
			{"memory is bounded", func(context.Context) error { return run.bounded() }},
		},
	}
	return soak.Run(ctx)
}

// agentsRun is the state of a running soak of agents and collectors.
type agentsRun struct {
	Config
	hosts      []*WebHost
	collectors []*Service
	addresses  []string // of the collectors
	links      []*Link
	admin      *hbase.Admin
	archived   *archived
	stores     []string // flags that name table and archive
	doubled    int      // ranges that the archive has twice
	seconds    int
}

// agents prepares the soak.
func (c Config) agents(ctx context.Context) (r *agentsRun, err error) {
	r = &agentsRun{Config: c}
	name := fmt.Sprintf("soak_%d_%d", c.Seed, time.Now().UnixNano())
	table := fmt.Sprintf("hbase://%s/%s", c.Cluster.ZooKeeper, name)
	url, err := hbase.ParseURL(table)
	if err != nil {
		return r, err
	}
	if r.admin, err = c.create(ctx, url); err != nil {
		return r, err
	}
	archive := fmt.Sprintf("%s%s/%s/%%Y%%m%%d/%%{host}", hdfs.Scheme, c.Cluster.NameNode, name)
	r.stores = []string{"--table", table, "--archive", archive}
	for j := range collectorCount {
		if err := r.collector(j); err != nil {
			return r, err
		}
	}
	for i, rotation := range rotations(c.Length)[:webHosts] {
		h, err := r.host(i)
		r.hosts = append(r.hosts, h)
		if err == nil {
			err = h.serve(rotation, c.Seed<<8+uint64(i))
		}
		if err != nil {
			return r, err
		}
	}
	if r.archived, err = c.look(archive); err != nil {
		return r, err
	}
	for _, s := range r.collectors {
		r.archived.spools = append(r.archived.spools, s.Data)
	}
	r.archived.logs = r.logs
	return r, nil
}

// collector adds a collector, on a fixed port.
func (r *agentsRun) collector(j int) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	name := fmt.Sprintf("collector%d", j+1)
	r.collectors = append(r.collectors, &Service{
		Program: Program{Binary: r.Binary, Data: filepath.Join(r.Dir, name), Output: r.output(name)}, Name: name,
		Args: append([]string{"collector", "--listen", address, "--layout", r.Layout.Name, "--archive-timeout", "5s", "--drain", "1m",
			"--roll-size", "1", "--roll-interval", "3s", "--roll-idle", "2s", "--spool-max", spoolMax}, r.stores...),
	})
	r.addresses = append(r.addresses, address)
	return nil
}

// host adds a host with its agent. The addresses of the collectors determine which of them an agent
// prefers, so each address gets its link after the preference is known: the hosts are spread over
// the collectors.
func (r *agentsRun) host(i int) (*WebHost, error) {
	h := &WebHost{Name: fmt.Sprintf("web%02d", i+1)}
	h.Dir = filepath.Join(r.Dir, h.Name)
	args := []string{"agent", "--host", h.Name, "--format", logFormat, "--cpu", "0", "--no-nice", "--latency", "100ms", "--min-margin", "0", "--failover-after", failoverAfter}
	byAddress := map[string]*Link{}
	for range r.collectors {
		l, err := NewLink()
		if err != nil {
			return h, err
		}
		r.links = append(r.links, l)
		byAddress[l.Address()] = l
		args = append(args, "--collector", l.Address())
	}
	h.Links = make([]*Link, len(r.collectors))
	for n, address := range agent.Preference(h.Name, slices.Collect(maps.Keys(byAddress))) {
		j := (i + n) % len(r.collectors)
		h.Links[j] = byAddress[address]
		h.Links[j].Target = r.addresses[j]
	}
	name := fmt.Sprintf("agent%d", i+1)
	data := filepath.Join(r.Dir, name)
	h.Agent = &Service{
		Program: Program{Binary: r.Binary, Data: data, Output: r.output(name)}, Name: name,
		Args: append(args, filepath.Join(h.Dir, "*.log*")),
	}
	return h, os.MkdirAll(data, 0o700)
}

func (r *agentsRun) close() (err error) {
	for _, l := range r.links {
		err = errors.Join(err, l.close())
	}
	if r.archived != nil {
		err = errors.Join(err, r.archived.archive.Close())
	}
	if r.admin != nil {
		err = errors.Join(err, r.admin.Close())
	}
	return err
}

// key returns a key that a row may have.
func (r *agentsRun) key(n uint64) []byte {
	salt := byte(n % uint64(max(1, r.Layout.Salts)))
	at := clockStart().Add(time.Duration(n % uint64(clockFactor*r.Length)))
	return binary.BigEndian.AppendUint64([]byte{salt}, uint64(at.UnixNano()))
}
