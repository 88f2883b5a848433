package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sluice/ingest/agent"
	"sluice/ingest/checkpoint"
	"sluice/ingest/governor"
	"sluice/ingest/protocol"
	"sluice/ingest/segment"
	"sluice/ingest/tail"
	"sluice/monitor"
)

type agentCmd struct {
	formatFlags
	excludeFlags
	followFlags
	tlsFlags
	statusFlags
	Collector     []string      `placeholder:"HOST:PORT" help:"Collectors, HOST:PORT each. The host's name determines which one it prefers, so that hosts are spread over them. flume://HOST:PORT,HOST:PORT are Avro sources of Flume."`
	FlumeDeflate  bool          `help:"Compress for an Avro source of Flume with compression-type = deflate."`
	Checkpoint    string        `type:"path" placeholder:"FILE" help:"File with the position of each log (default: DATA/checkpoint)."`
	Host          string        `placeholder:"NAME" help:"The name under which lines are stored (default: this machine's)."`
	Compression   string        `default:"s2" enum:"none,zstd,s2" help:"Compression of the connection: s2 (least CPU), zstd (30 % fewer bytes for twice the CPU) or none."`
	Window        mebibytes     `default:"4" placeholder:"MIB" help:"Memory limit of compressed batches that are read and not yet on a collector's disk."`
	FailoverAfter time.Duration `default:"30s" placeholder:"TIME" help:"Time for which a collector may be unreachable before the next one is used; 0 is no limit."`
	Drain         time.Duration `default:"10s" placeholder:"TIME" help:"Time limit for sending what was read after the signal to stop."`
	Files         []string      `arg:"" optional:"" name:"file" help:"Logs, globs of them (**, {a,b}), or re:DIR/REGEX."`

	flume bool
}

// Help returns the extended help text for kong.
func (agentCmd) Help() string {
	return `Follows the logs of a web host as run does, and sends them to a collector:

    sluice agent --collector c1:4141,c2:4141 --apache-conf /etc/apache2/apache2.conf
    sluice agent --collector c1:4141,c2:4141 '/var/log/apache2/*access*.log'

With --apache-conf the logs, their formats and the changes of both are taken from the
web server's configuration.

Only lines that the collector has in table and archive are saved as stored. After a kill
at any moment, or the loss of a collector, the agent continues there. If no collector
accepts lines, they wait in the logs.`
}

// heartbeat is the interval at which an agent reports its state to its collector.
const heartbeat = 3 * time.Second

func (c *agentCmd) Run(a *app) (err error) {
	defer a.daemon()()
	format, _, err := c.text()
	if err != nil {
		return err
	}
	if c.Host == "" {
		if c.Host, err = os.Hostname(); err != nil {
			return usage("cannot find the name of this host: %w\nhint: give it with --host", err)
		}
	}
	if err := errors.Join(c.check(), c.statusFlags.check(), c.excludeFlags.check()); err != nil {
		return err
	}
	holdLittle(gcPercentBuffers)
	sources, err := c.sources(c.Files, c.Exclude, format, c.Timezone)
	if err != nil {
		return err
	}
	configuration, err := c.apache(a, sources, c.Exclude, c.Timezone)
	if err != nil {
		return err
	}
	certificates, err := c.files(c.flume)
	if err != nil {
		return err
	}
	logCertificate(a.log, certificates.check(time.Now(), x509.ExtKeyUsageClientAuth, c.Host))
	trace, err := c.openTrace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trace.Close()) }()
	gate, err := c.govern(a, trace)
	if err != nil {
		return err
	}
	file, locks, err := c.start(a)
	defer func() { err = errors.Join(err, closeAll(locks)) }()
	if err != nil && a.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped while it waited for its disk
	}
	if err != nil {
		return err
	}
	w, endWatch, err := a.watch(a.cli.Data, &c.messageFlags, monitor.Agent, c.Host, expectFlags{}, nil)
	if err != nil {
		return err
	}
	defer endWatch()
	at := &sending{cmd: c, began: time.Now(), gate: gate, certificates: certificates, watch: w}
	defer a.followApache(configuration)()
	at.agent = agent.New(agent.Config{
		Collectors: c.Collector, Flume: c.flume, Dial: c.dial(certificates), Certificate: certificates.certificate, Checkpoint: file, Name: "sluice " + version(),
		Compression: c.compression(), WindowBytes: c.Window.bytes(), FailoverAfter: c.FailoverAfter, Heartbeat: heartbeat, Drain: c.Drain,
		Governor: func() protocol.Governor { return governed(gate.State()) }, Log: a.log,
		Others: reportOf(configuration),
		Report: func(t *tail.Tailer) { a.acknowledge(w, c.Host, file, t.Counters()); at.report(a, t) },
		Tail:   tail.Config{Sources: sources, Changing: changing(configuration), Host: c.Host, FromEnd: c.FromEnd, Latency: c.Latency, Gate: gate, MinMargin: c.MinMargin, Log: a.log},
	})
	remembered, forget := a.keepHistory()
	defer forget()
	at.history = remembered
	end, err := c.serve(a, watched{at.fleet, at.thresholds(), remembered, logsOf(file, nil), nil})
	if err != nil {
		return err
	}
	defer end()
	a.log.Info("following logs", "sources", countSources(sources, configuration), "collectors", c.Collector, "cpu_percent", c.CPU)
	return at.agent.Run(a.ctx)
}

// start opens and locks the checkpoint, and saves it if it is new. It waits while the disk is full
// or unavailable. The caller closes locks, also after an error.
func (c *agentCmd) start(a *app) (file *checkpoint.File, locks []*os.File, err error) {
	start := &starting{waitsFor: "the checkpoint in --data", kind: monitor.Agent, host: c.Host, flags: &c.statusFlags, thresholds: monitor.Thresholds{SilentAfter: silentAfter, MaxLag: c.MaxLag}}
	err = start.withRetry(a, func() (err error) {
		if err := closeAll(locks); err != nil {
			return err
		}
		file, locks, err = a.openCheckpoint(c.Checkpoint, "")
		if err == nil && !file.Found() {
			err = file.Save()
		}
		return err
	})
	return file, locks, err
}

// check returns an error if a flag has a wrong value.
func (c *agentCmd) check() error {
	if err := segment.CheckHost(c.Host); err != nil {
		return usageError{err}
	}
	if len(c.Collector) == 0 {
		return usage("no collector given\nhint: give --collector c1:4141, or several: --collector c1:4141,c2:4141")
	}
	if err := c.findFlume(); err != nil {
		return err
	}
	for _, address := range c.Collector {
		if why := wrongAddress(address); why != "" {
			return usage("--collector %q: %s\nhint: write HOST:PORT, such as c1:4141, or flume://HOST:PORT for Flume's", address, why)
		}
	}
	if c.Window < 1 || c.FailoverAfter < 0 || c.Drain < 0 {
		return usage("--window must be at least 1MiB, --failover-after and --drain at least 0")
	}
	return nil
}

// wrongAddress returns what is wrong with a server's HOST:PORT, "" if nothing is.
func wrongAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return "it is not HOST:PORT"
	case host == "":
		return "the host is missing"
	case strings.ContainsFunc(host, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("/@,;", r)
	}):
		return "the host has a character that no host name has"
	case port == "":
		return "the port is missing"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "the port is not a number from 1 to 65535"
	}
	return ""
}

func (c *agentCmd) compression() protocol.Compression {
	if c.flume {
		return protocol.None
	}
	names := []string{protocol.None.String(), protocol.Zstd.String(), protocol.S2.String()}
	return protocol.Compression(slices.Index(names, c.Compression))
}

// governed converts a governor's state for a heartbeat.
func governed(s governor.State) protocol.Governor {
	g := protocol.Governor{Budget: s.BytesPerSecond, Reason: s.Reason}
	if s.Level == "paused" {
		now := time.Now() // a monotonic difference, which a correction of the clock does not change
		g.PausedSinceMs = now.UnixMilli() - now.Sub(s.Since).Milliseconds()
	}
	return g
}

// dialTimeout is the time limit for a connection including its TLS handshake.
const dialTimeout = 10 * time.Second

// dial connects to a collector. If t is nil, the connection is not encrypted. Certificate files
// that changed are read again at each connection.
func (t *tlsFiles) dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialer := &net.Dialer{}
	if t == nil {
		return dialer.DialContext(ctx, "tcp", address)
	}
	config, err := t.read()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
}
