package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"sluice/ingest/avrorpc"
	"sluice/ingest/checkpoint"
	"sluice/ingest/collector"
	"sluice/ingest/receiver"
	"sluice/monitor"
	"sluice/monitor/traffic"
	"sluice/parse"
	"sluice/print"
)

type collectorCmd struct {
	storeFlags
	tlsFlags
	statusFlags
	expectFlags
	Listen             string        `default:"127.0.0.1:4141" placeholder:"HOST:PORT" help:"Address and port for agents."`
	InsecureListen     bool          `help:"Listen on a network address without TLS. Any client that reaches the port can then write lines under any host's name."`
	Checkpoint         string        `type:"path" placeholder:"FILE" help:"File with the position of each stream (default: DATA/checkpoint)."`
	Spool              string        `type:"path" placeholder:"DIR" help:"Directory for batches that are received and not stored yet (default: DATA/spool)."`
	SilentAfter        time.Duration `default:"2m" placeholder:"TIME" help:"Time without a message from a host after which /health and status report ERROR. An agent sends a heartbeat every 3 s, even without new lines."`
	Retired            []string      `placeholder:"HOST" help:"Hosts that were taken out of service; they are no longer reported as missing."`
	HostShare          int           `default:"3" placeholder:"N" help:"Limit of one host's part of the spool, as a multiple of the free space (--spool-max less what is used). With 3, a single host can fill three quarters of the spool, two hosts three sevenths each. At the limit, the host's batches wait and /health names the host. 0 is no limit."`
	HostStreams        int           `default:"20000" placeholder:"N" help:"Limit of logs to remember for one host. At the limit, the collector forgets the log that has been idle longest and is stored completely; if there is none, it rejects the new log. All hosts together may have ten times as many."`
	HostText           int64         `default:"16" placeholder:"MIB" help:"Limit of the paths, formats and labels of one host's logs in the checkpoint. All hosts together may have 16 times as much."`
	Connections        int           `placeholder:"N" help:"Limit of connections from agents and Flume (default: 1024, or half of the limit of open files if that is less). Beyond it, hosts take turns."`
	AddressConnections int           `placeholder:"N" help:"Limit of connections from one IPv4 address (default: a sixteenth of --connections); an IPv6 /64 network may have four times as many. Raise it if many hosts connect through one NAT gateway or TCP proxy. One sender at that address can then use as many."`
	AllowBacktracking  bool          `help:"Accept any regular expression from agents. By default, the collector rejects a log if its pattern needs backtracking or has more than 1000 instructions, because its lines could slow down the collector. A rejected log waits on its host."`
	Flume              flumeFlags    `embed:"" prefix:"flume-"`
	Drain              time.Duration `default:"30s" placeholder:"TIME" help:"Time limit for storing after the signal to stop. What is left is stored after the next start."`
}

// Help returns the extended help text for kong.
func (collectorCmd) Help() string {
	return `Stores the lines that agents and Avro sinks of Flume send in a table and an archive:

    sluice collector --listen 10.0.0.5:4141 --table hbase://zk1,zk2/web:accesslog \
      --archive 'hdfs://nn1,nn2/logs/%Y%m%d/%{host}' \
      --tls-cert c1.pem --tls-key c1.key --tls-ca ca.pem

A batch is acknowledged as received when it is in the spool on this machine's disk. An
agent saves it as stored when table and archive have it. Without TLS the collector
listens on the loopback interface only.`
}

func (c *collectorCmd) Run(a *app) (err error) {
	defer a.daemon()()
	if err := c.checkRolls(); err != nil {
		return err
	}
	if c.Drain < 0 || c.SilentAfter <= 0 {
		return usage("--drain must be at least 0, --silent-after greater than 0")
	}
	if c.HostShare < 0 || c.HostStreams < 1 || c.HostText < 1 {
		return usage("--host-share must be at least 0, --host-streams and --host-text at least 1")
	}
	if err := c.statusFlags.check(); err != nil {
		return err
	}
	format, err := c.Flume.text()
	if err != nil {
		return err
	}
	openFiles, err := maxOpenFiles()
	if err != nil {
		return err
	}
	limits, err := c.limits(openFiles)
	if err != nil {
		return err
	}
	certificates, err := c.files(false)
	if err != nil {
		return err
	}
	if c.Flume.WithoutCertificate && certificates == nil {
		return usage("--flume-without-certificate is for a collector with --tls-cert, --tls-key and --tls-ca")
	}
	if _, err := c.expectFlags.read(); err != nil {
		return err
	}
	logCertificate(a.log, certificates.check(time.Now(), x509.ExtKeyUsageServerAuth, ""))
	listener, err := c.listen(a.ctx, certificates != nil)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // Serve closes it too
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	var s *stores
	start := &starting{waitsFor: c.waitsFor(), kind: monitor.Collector, host: host, flags: &c.statusFlags, thresholds: monitor.Thresholds{SilentAfter: c.SilentAfter, MaxLag: c.MaxLag, RollInterval: c.RollInterval}}
	err = start.withRetry(a, func() (err error) {
		s, err = c.open(a, storeOptions{
			formats: []string{parse.AutoName, format}, checkpoint: c.Checkpoint, spool: c.Spool,
			collector: collector.Config{RetryFailures: true, SpoolAhead: true, HostShare: c.HostShare, OpenSegments: min(openFiles/8, 512), DeclareFound: true},
		})
		return err
	})
	if a.interrupted(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	err = c.serve(a, s, listener, certificates, format, limits)
	return errors.Join(err, c.end(a, s, err))
}

// maxOpenFiles returns the limit of file descriptors of this process, at most 65536. Half of them
// are for connections of agents and an eighth for segments, so that many of either leave some for
// table, archive and status.
func maxOpenFiles() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("get the limit of open files: %w", err)
	}
	return int(min(limit.Cur, 1<<16)), nil
}

// limits returns the limits of the server for agents, in a process that can open so many files.
func (c *collectorCmd) limits(openFiles int) (avrorpc.Limits, error) {
	if c.Connections < 0 || c.AddressConnections < 0 {
		return avrorpc.Limits{}, usage("--connections and --address-connections must be at least 1, or 0 for the default")
	}
	if most := receiver.MaxConns(openFiles); c.Connections > most {
		return avrorpc.Limits{}, usage("--connections %d: this process can open %d files, and at most %d of them may be connections\nhint: raise LimitNOFILE= of the unit (ulimit -n) up to 65536, or give a smaller --connections", c.Connections, openFiles, most)
	}
	limits := receiver.Limits(openFiles, c.Connections, c.AddressConnections)
	if c.AddressConnections > limits.Conns {
		return avrorpc.Limits{}, usage("--address-connections %d: all addresses together may have %d connections\nhint: raise --connections, too, or give a smaller --address-connections", c.AddressConnections, limits.Conns)
	}
	return limits, nil
}

// listen opens the port for agents. Without TLS the address must be a loopback address, unless
// --insecure-listen is set.
func (c *collectorCmd) listen(ctx context.Context, secured bool) (net.Listener, error) {
	address, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil {
		return nil, usage("--listen %s: %w", c.Listen, err)
	}
	if !secured && !c.InsecureListen && !address.IP.IsLoopback() {
		return nil, usage("--listen %s: without TLS, any client that reaches this port could write lines under any host's name\nhint: give --tls-cert, --tls-key and --tls-ca, or --insecure-listen", c.Listen)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, usage("--listen: %w", err)
	}
	return listener, nil
}

// serve accepts connections from agents until the process is stopped.
func (c *collectorCmd) serve(a *app, s *stores, listener net.Listener, certificates *tlsFiles, format string, limits avrorpc.Limits) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	w, endWatch, err := a.watch(s.spool, &c.messageFlags, monitor.Collector, host, c.expectFlags, c.Retired)
	if err != nil {
		return err
	}
	defer endWatch()
	r, err := receiver.New(receiver.Config{Checkpoint: s.checkpoint, Collector: s.collector, Retired: c.Retired, AllowBacktracking: c.AllowBacktracking, Quota: checkpoint.Quota{HostStreams: c.HostStreams, HostBytes: c.HostText << 20}, FlumeFormat: format, FlumeZone: c.Flume.Timezone, AcknowledgedLoss: w.file.AcknowledgedLoss, Log: a.log})
	if err != nil {
		return err
	}
	defer r.Close()
	gate := limits.NewGate(a.log)
	at := &collecting{cmd: c, host: host, began: time.Now(), stores: s, receiver: r, certificates: certificates, gate: gate, watch: w}
	remembered, forget := a.keepHistory()
	defer forget()
	at.history, at.traffic = remembered, traffic.NewLive(remembered, a.log)
	defer at.watchTraffic(a)()
	received := func(t *checkpoint.Stream) int64 { return s.collector.Position(t, 0).Received }
	end, err := c.statusFlags.serve(a, watched{at.fleet, at.thresholds(), remembered, logsOf(s.checkpoint, received), c.requestsPage(a)})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer end()
	layers := avrorpc.Layers{}
	if certificates != nil {
		layers.TLS = certificates.server(!c.Flume.WithoutCertificate)
		layers.Rejected = func(peer netip.AddrPort, err error) { w.rejected(certificates, peer, err) }
	}
	server := &avrorpc.Server{Services: append(r.Services(), r.FlumeService()), Limits: limits, Gate: gate, Upgrade: layers.Upgrade, Log: a.log}
	a.log.Info("collector listening", "address", listener.Addr(), "tls", certificates != nil)
	print.Textln(a.stdout, "listening on", listener.Addr())
	group, ctx := errgroup.WithContext(a.ctx)
	group.Go(func() error { return server.Serve(ctx, listener) })
	if lazy, ok := s.table.(*lazyTable); ok {
		group.Go(func() error { return lazy.failed(ctx) })
	}
	group.Go(func() error {
		ticker := time.NewTicker(tickInterval)
		defer ticker.Stop()
		for {
			at.report(a) // an acknowledgement is for what the hosts have reported by now
			if a.acknowledge(w, "", nil, nil) {
				at.report(a)
			}
			select {
			case now := <-ticker.C:
				if err := r.Tick(now); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	return group.Wait()
}

// end closes the collector: it stores what was received for up to --drain, and prints the totals.
// After a failure, or while the table is not open yet, it stores nothing.
func (c *collectorCmd) end(a *app, s *stores, failed error) error {
	if failed != nil || s.waiting() { // nothing can be stored now; the next start continues
		return s.collector.Abort()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), c.Drain)
	defer cancel()
	err := s.collector.Close(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("drain time over before all received lines were stored; the next start stores the rest", "err", err)
		err = nil
	}
	n := &s.collector.Counters
	print.Textf(a.stdout, "lines=%d bytes=%d rows=%d parse_errors=%d archive_files=%d\n", n.Lines.Load(), n.Bytes.Load(), n.Rows.Load(), n.ParseErrors.Load(), n.Segments.Load())
	return err
}
