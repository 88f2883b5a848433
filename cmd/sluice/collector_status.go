package main

import (
	"context"
	"crypto/x509"
	"os"
	"time"

	"sluice/ingest/admission"
	"sluice/ingest/receiver"
	"sluice/monitor"
	"sluice/monitor/dashboard"
	"sluice/monitor/history"
	"sluice/monitor/traffic"
)

// collecting is a running collector, with the sources of its status.
type collecting struct {
	cmd      *collectorCmd
	host     string
	began    time.Time
	history  *history.Store
	traffic  *traffic.Live
	stores   *stores
	receiver *receiver.Receiver

	certificates *tlsFiles
	gate         *admission.Gate // limits connections to the port for agents
	watch        *watching
}

func (c *collecting) thresholds() monitor.Thresholds {
	return monitor.Thresholds{SilentAfter: c.cmd.SilentAfter, MaxLag: c.cmd.MaxLag, RollInterval: c.cmd.RollInterval}
}

// fleet returns the current state of the collector and its hosts.
func (c *collecting) fleet() monitor.Fleet {
	now, state := time.Now(), c.stores.state()
	f := monitor.Fleet{
		Problems: c.certificates.check(now, x509.ExtKeyUsageServerAuth, ""),
		Now:      now, Began: c.began, Kind: monitor.Collector, Host: c.host, Version: version(),
		Hosts: monitor.Senders(now, c.receiver.Hosts(), state), Sinks: monitor.Sinks(now, state.Retries), Counts: c.stores.counts(),
		BufferBytes: state.SpoolBytes, BufferMaxBytes: c.cmd.SpoolMax.bytes(), Segments: state.Segments, UntabledBytes: state.UntabledBytes,
	}
	for name, low := range c.traffic.Low() {
		if h, there := f.Hosts[name]; there && !h.Elsewhere {
			h.Add(monitor.Traffic, "%s", low.String())
			f.Hosts[name] = h
		}
	}
	if failing := c.gate.Failing(); failing.Err != nil {
		f.Sinks[monitor.Listener] = monitor.Sink{FailingSeconds: max(now.Sub(failing.Since).Seconds(), 0.001), Attempts: failing.Attempts, Error: failing.Err.Error()}
	}
	c.watch.add(&f)
	return withWarnings(f, "port for agents", c.gate)
}

// watchTraffic compares the traffic of each host with the expected traffic until end is called,
// which waits for the goroutine.
func (c *collecting) watchTraffic(a *app) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.traffic.Run(ctx, func() (names []string) {
			for _, h := range c.receiver.Hosts() {
				names = append(names, h.Name)
			}
			return names
		})
	}()
	return func() {
		cancel()
		<-done
	}
}

// report updates history and messages, and writes the status file for `sluice status`.
func (c *collecting) report(a *app) {
	c.watch.observe(a, time.Now(), seenOf(c.receiver.Hosts()))
	f := c.fleet()
	h := f.Check(c.thresholds())
	c.history.Offer(f.Now, dashboard.Observations(&h))
	c.watch.tell(&h)
	status := monitor.Status{
		At: f.Now, PID: os.Getpid(), Began: c.began, Host: c.host, Version: version(),
		Lines: f.Counts.Lines, Bytes: f.Counts.Bytes, Rows: f.Counts.Rows, ParseErrors: f.Counts.ParseErrors, ArchiveFiles: f.Counts.Segments,
		Storing: c.stores.state(), Health: &h,
	}
	if err := monitor.Write(statusPath(a.cli.Data), &status); err != nil {
		a.log.Warn("cannot write the status file, will retry", "err", err)
	}
}

// counts returns the totals of the lines that were received to be stored.
func (s *stores) counts() monitor.Counts {
	n := &s.collector.Counters
	return monitor.Counts{
		Lines: n.Lines.Load(), Bytes: n.Bytes.Load(), Accepted: n.Lines.Load(), Batches: n.Batches.Load(),
		Rows: n.Rows.Load(), ParseErrors: n.ParseErrors.Load(), Segments: n.Segments.Load(),
	}
}
