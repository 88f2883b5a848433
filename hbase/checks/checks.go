package checks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sluice/doctor"
	"sluice/hadoop/sasl"
	"sluice/hbase"
	"sluice/hbase/region"
	"sluice/hbase/rpc"
	"sluice/retry"
	"sluice/schema"
)

// Subject is what is checked.
type Subject struct {
	URL hbase.URL
	// Options are the options for opening the table; with a Layout, its name must be the table's.
	Options hbase.Options
	// Kerberos and TLS are the parts of Options.Handshake; nil: none.
	Kerberos *sasl.Kerberos
	TLS      *sasl.TLSConfig
}

// examination is the state of a running check. What was not found is zero.
type examination struct {
	Subject
	report   *doctor.Report
	pool     *rpc.Pool
	registry region.Registry
	cluster  *region.Cluster

	master, meta rpc.Server
	status       clusterStatus
	layout       schema.Layout
	regions      []region.Assignment
}

// The steps that others depend on, by the name under which those are skipped.
const (
	stepMaster  = "master"
	stepServers = "region servers"
	stepTable   = "table"
	stepRegions = "regions"
	stepRow     = "row"
)

// Run runs the steps in their order. It ends with ctx; each step is bounded by a multiple of
// Options.Timeout.
func Run(ctx context.Context, s Subject, r *doctor.Report) (err error) {
	e := &examination{Subject: s, report: r}
	e.open()
	defer func() { err = errors.Join(err, e.cluster.Close()) }()
	if s.Kerberos != nil {
		e.logIn(ctx)
	}
	if s.URL.Scheme == hbase.SchemeZooKeeper {
		e.zooKeeper(ctx)
	}
	if !e.find(ctx) {
		e.skip("the cluster was not found", stepMaster, stepServers, stepTable, stepRegions, stepRow)
		return ctx.Err()
	}
	if s.TLS != nil {
		e.certificate(ctx)
	}
	if e.askMaster(ctx) {
		e.servers(ctx)
	} else {
		e.skip("the master did not say which there are", stepServers)
	}
	if !e.table(ctx) {
		e.skip("the table cannot be used", stepRegions, stepRow)
		return ctx.Err()
	}
	if !e.assignments(ctx) {
		e.skip("not every region is served", stepRow)
		return ctx.Err()
	}
	e.rows(ctx)
	return ctx.Err()
}

// open creates the clients, which connect on demand.
func (e *examination) open() {
	if e.Options.Timeout <= 0 {
		e.Options.Timeout = rpc.DefaultTimeout
	}
	e.Options.Logger = slog.New(slog.DiscardHandler) // errors are in the report
	e.pool = rpc.NewPool(rpc.Options{User: e.Options.User, Timeout: e.Options.Timeout, Handshake: e.Options.Handshake})
	if e.URL.Scheme == hbase.SchemeRPC {
		e.registry = region.NewRPCRegistry(e.pool, e.URL.Servers)
	} else {
		var addresses []string
		for _, s := range e.URL.Servers {
			addresses = append(addresses, s.Address())
		}
		e.registry = region.NewZooKeeper(addresses, e.URL.Root, e.Options.Timeout, e.Options.Logger)
	}
	e.cluster = region.NewCluster(e.registry, e.pool, e.Options.Timeout, 0, &retry.Registry{Of: "hbase", Now: time.Now, Log: e.Options.Logger})
}

func (e *examination) skip(why string, names ...string) {
	for _, name := range names {
		e.report.Skip(name, why)
	}
}

// step runs a step with a deadline, long enough to detect a silent server and try another.
func (e *examination) step(ctx context.Context, name string, do func(ctx context.Context) (string, error)) bool {
	return e.report.Step(name, func() (string, error) {
		inner, cancel := context.WithTimeout(ctx, 2*e.Options.Timeout)
		defer cancel()
		found, err := do(inner)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return found, err
	})
}

func (e *examination) logIn(ctx context.Context) {
	e.step(ctx, "kerberos", func(ctx context.Context) (string, error) {
		principal, until, err := e.Kerberos.LogIn(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("a ticket for %s until %s", principal, until.Local().Format(time.DateTime)), nil
	})
}

// find locates the master and the meta table.
func (e *examination) find(ctx context.Context) bool {
	return e.step(ctx, "cluster", func(ctx context.Context) (_ string, err error) {
		if e.master, err = e.registry.Master(ctx); err != nil {
			return "", fmt.Errorf("no master: %w", err)
		}
		if e.meta, err = e.registry.Meta(ctx); err != nil {
			return "", fmt.Errorf("no meta table: %w", err)
		}
		return fmt.Sprintf("the master is %s, the meta table on %s", e.master, e.meta), nil
	})
}

// certificate reports the master's certificate; each region server's is reported with the server.
func (e *examination) certificate(ctx context.Context) {
	e.step(ctx, "TLS", func(ctx context.Context) (string, error) {
		c, err := e.TLS.Certificate(ctx, e.master)
		if err != nil {
			return "", fmt.Errorf("%s: %w", e.master, err)
		}
		names := c.DNSNames
		for _, ip := range c.IPAddresses {
			names = append(names, ip.String())
		}
		return fmt.Sprintf("the master's certificate is for %s, until %s", strings.Join(names, ", "), c.NotAfter.Local().Format(time.DateTime)), nil
	})
}
