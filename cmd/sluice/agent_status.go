package main

import (
	"crypto/x509"
	"os"
	"sync/atomic"
	"time"

	"sluice/ingest/agent"
	"sluice/ingest/governor"
	"sluice/ingest/tail"
	"sluice/monitor"
	"sluice/monitor/dashboard"
	"sluice/monitor/history"
)

// sending is a running agent, with the sources of its status.
type sending struct {
	cmd     *agentCmd
	began   time.Time
	history *history.Store
	watch   *watching
	gate    *governor.Governor

	certificates *tlsFiles
	agent        *agent.Agent
	tailer       atomic.Pointer[tail.Tailer] // nil until a collector reported positions
}

func (s *sending) thresholds() monitor.Thresholds {
	return monitor.Thresholds{SilentAfter: silentAfter, MaxLag: s.cmd.MaxLag}
}

// fleet returns the current state of the agent and its host.
func (s *sending) fleet() monitor.Fleet {
	now, state := time.Now(), s.agent.State()
	counts := monitor.Counts{Accepted: state.SentLines, Batches: state.SentBatches}
	if t := s.tailer.Load(); t != nil {
		c := t.Counters()
		counts.Lines, counts.Bytes, counts.Failures = c.Lines.Load(), c.Bytes.Load(), c.Failures.Load()
	}
	f := monitor.Fleet{
		Problems: s.certificates.check(now, x509.ExtKeyUsageClientAuth, s.cmd.Host),
		Now:      now, Began: s.began, Kind: monitor.Agent, Host: s.cmd.Host, Version: version(), Counts: counts,
		Hosts:       map[string]monitor.Host{s.cmd.Host: monitor.Reader(now, s.agent.Heartbeat(), state, silentAfter, s.cmd.MaxLag)},
		Sinks:       monitor.AgentSinks(now, state),
		BufferBytes: state.UnacknowledgedBytes, BufferMaxBytes: s.cmd.Window.bytes(),
	}
	s.watch.add(&f)
	return f
}

// report updates history and messages, and writes the status file for `sluice status`.
func (s *sending) report(a *app, t *tail.Tailer) {
	s.tailer.Store(t)
	s.watch.observe(a, time.Now(), ownHost(s.cmd.Host, s.began))
	f, read, state := s.fleet(), t.Counters(), s.agent.State()
	h := f.Check(s.thresholds())
	s.history.Offer(f.Now, dashboard.Observations(&h))
	s.watch.tell(&h)
	status := monitor.Status{
		At: f.Now, PID: os.Getpid(), Began: s.began, Host: s.cmd.Host, Version: version(),
		Lines: f.Counts.Lines, Bytes: f.Counts.Bytes,
		LostBytes: read.LostBytes.Load(), LostFiles: read.LostFiles.Load(), Failures: f.Counts.Failures,
		Governor: s.gate.State(), Logs: t.Status(), Sending: &state, Health: &h,
	}
	if err := monitor.Write(statusPath(a.cli.Data), &status); err != nil {
		a.log.Warn("cannot write the status file, will retry", "err", err)
	}
}
