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

// soakAgents tests agents and collectors: three hosts with growing, rotated logs, an agent on each, and
// two collectors that all use. The connections between them are disturbed, and agents, collectors
// and the cluster's daemons are killed and paused.
func soakAgents(ctx context.Context, c config) (err error) {
	run, err := c.agents(ctx)
	defer func() { err = errors.Join(err, run.close()) }()
	if err != nil {
		return err
	}
	ways, sinks := agentFaults(run.hosts, run.collectors, run.archived.lose), sinkFaults(c.seed)
	free, plan := planOf(c.seed, ways, c.length, wayGap), drawPlan(^c.seed, sinks, c.length) // with other seeds, or both plans would begin at the same time
	switch all := slices.Concat(ways, sinks); {
	case c.replay != "":
		if plan, err = parsePlan(c.replay, all); err != nil {
			return err
		}
		isFree := func(e event) bool {
			return slices.ContainsFunc(ways, func(f fault) bool { return f.name == e.fault.name })
		}
		free = slices.DeleteFunc(slices.Clone(plan), func(e event) bool { return !isFree(e) })
		plan = slices.DeleteFunc(plan, isFree)
	case c.draw != nil:
		free, plan = c.draw(all), nil
	}
	for _, e := range slices.Concat(free, plan) {
		c.journal.say("plan", fmt.Sprintf("%6.1f s: %s for %v", e.at.Seconds(), e.fault.name, e.hold.Round(100*time.Millisecond)))
	}
	a := run.archived
	soak := &scenario{
		world:       &world{cluster: c.cluster, admin: run.admin, key: run.key, journal: c.journal},
		plan:        plan,
		free:        free,
		length:      c.length,
		loads:       []load{run},
		everySecond: run.watch,
		report:      run.report,
		done:        run.stored,
		checks: []check{
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
	config
	hosts      []*webHost
	collectors []*service
	addresses  []string // of the collectors
	links      []*link
	admin      *hbase.Admin
	archived   *archived
	stores     []string // flags that name table and archive
	doubled    int      // ranges that the archive has twice
	seconds    int
}

// agents prepares the soak.
func (c config) agents(ctx context.Context) (r *agentsRun, err error) {
	r = &agentsRun{config: c}
	name := fmt.Sprintf("soak_%d_%d", c.seed, time.Now().UnixNano())
	table := fmt.Sprintf("hbase://%s/%s", c.cluster.ZooKeeper, name)
	url, err := hbase.ParseURL(table)
	if err != nil {
		return r, err
	}
	if r.admin, err = c.create(ctx, url); err != nil {
		return r, err
	}
	archive := fmt.Sprintf("%s%s/%s/%%Y%%m%%d/%%{host}", hdfs.Scheme, c.cluster.NameNode, name)
	r.stores = []string{"--table", table, "--archive", archive}
	for j := range collectorCount {
		if err := r.collector(j); err != nil {
			return r, err
		}
	}
	for i, rotation := range rotations(c.length)[:webHosts] {
		h, err := r.host(i)
		r.hosts = append(r.hosts, h)
		if err == nil {
			err = h.serve(rotation, c.seed<<8+uint64(i))
		}
		if err != nil {
			return r, err
		}
	}
	if r.archived, err = c.look(archive); err != nil {
		return r, err
	}
	for _, s := range r.collectors {
		r.archived.spools = append(r.archived.spools, s.data)
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
	r.collectors = append(r.collectors, &service{
		program: program{binary: r.binary, data: filepath.Join(r.dir, name), output: r.output(name)}, name: name,
		args: append([]string{"collector", "--listen", address, "--layout", r.layout.Name, "--archive-timeout", "5s", "--drain", "1m",
			"--roll-size", "1", "--roll-interval", "3s", "--roll-idle", "2s", "--spool-max", spoolMax}, r.stores...),
	})
	r.addresses = append(r.addresses, address)
	return nil
}

// host adds a host with its agent. The addresses of the collectors determine which of them an agent
// prefers, so each address gets its link after the preference is known: the hosts are spread over
// the collectors.
func (r *agentsRun) host(i int) (*webHost, error) {
	h := &webHost{name: fmt.Sprintf("web%02d", i+1)}
	h.dir = filepath.Join(r.dir, h.name)
	args := []string{"agent", "--host", h.name, "--format", logFormat, "--cpu", "0", "--no-nice", "--latency", "100ms", "--min-margin", "0", "--failover-after", failoverAfter}
	byAddress := map[string]*link{}
	for range r.collectors {
		l, err := newLink()
		if err != nil {
			return h, err
		}
		r.links = append(r.links, l)
		byAddress[l.address()] = l
		args = append(args, "--collector", l.address())
	}
	h.links = make([]*link, len(r.collectors))
	for n, address := range agent.Preference(h.name, slices.Collect(maps.Keys(byAddress))) {
		j := (i + n) % len(r.collectors)
		h.links[j] = byAddress[address]
		h.links[j].target = r.addresses[j]
	}
	name := fmt.Sprintf("agent%d", i+1)
	data := filepath.Join(r.dir, name)
	h.agent = &service{
		program: program{binary: r.binary, data: data, output: r.output(name)}, name: name,
		args: append(args, filepath.Join(h.dir, "*.log*")),
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
	salt := byte(n % uint64(max(1, r.layout.Salts)))
	at := clockStart().Add(time.Duration(n % uint64(clockFactor*r.length)))
	return binary.BigEndian.AppendUint64([]byte{salt}, uint64(at.UnixNano()))
}
