package main

import (
	"os"
	"sync/atomic"
	"time"

	"sluice/ingest/apacheconf"
	"sluice/ingest/governor"
	"sluice/ingest/tail"
	"sluice/monitor"
	"sluice/monitor/dashboard"
	"sluice/monitor/history"
)

// following is the state of a run that follows logs.
type following struct {
	cmd     *runCmd
	began   time.Time
	history *history.Store
	watch   *watching
	stores  *stores
	gate    *governor.Governor

	configuration *apacheconf.Follower // nil: no Apache configuration is followed

	tailer atomic.Pointer[tail.Tailer] // nil until logs are followed
}

func (r *following) thresholds() monitor.Thresholds {
	return monitor.Thresholds{SilentAfter: silentAfter, MaxLag: r.cmd.MaxLag, RollInterval: r.cmd.RollInterval}
}

// read returns the status and counters of the tailer, or empty ones if no logs are followed yet.
func (r *following) read() (tail.Status, *tail.Counters) {
	if t := r.tailer.Load(); t != nil {
		return t.Status(), t.Counters()
	}
	return tail.Status{At: time.Now()}, new(tail.Counters)
}

// fleet returns the state of the process and its host.
func (r *following) fleet() monitor.Fleet {
	state := r.stores.state()
	logs, read := r.read()
	counts := r.stores.counts()
	counts.Failures = read.Failures.Load()
	now := time.Now()
	host := monitor.Follower(now, logs, read, r.gate.State(), state.Waiting[r.cmd.Host], state.Arrivals[r.cmd.Host])
	warnOf(&host, r.configuration)
	f := monitor.Fleet{
		Now: now, Began: r.began, Kind: monitor.Run, Host: r.cmd.Host, Version: version(),
		Hosts: map[string]monitor.Host{r.cmd.Host: host},
		Sinks: monitor.Sinks(now, state.Retries), Counts: counts,
		BufferBytes: state.SpoolBytes, BufferMaxBytes: r.cmd.SpoolMax.bytes(), Segments: state.Segments, UntabledBytes: state.UntabledBytes,
	}
	r.watch.add(&f)
	return f
}

// report writes the status file, which `sluice status` reads, and updates the history and the
// messenger.
func (r *following) report(a *app) {
	r.watch.observe(a, time.Now(), ownHost(r.cmd.Host, r.began))
	f := r.fleet()
	logs, read := r.read()
	h := f.Check(r.thresholds())
	r.history.Offer(f.Now, dashboard.Observations(&h))
	r.watch.tell(&h)
	status := monitor.Status{
		At: f.Now, PID: os.Getpid(), Began: r.began, Host: r.cmd.Host, Version: version(),
		Lines: f.Counts.Lines, Bytes: f.Counts.Bytes, Rows: f.Counts.Rows, ParseErrors: f.Counts.ParseErrors, ArchiveFiles: f.Counts.Segments,
		LostBytes: read.LostBytes.Load(), LostFiles: read.LostFiles.Load(), Failures: read.Failures.Load(),
		Governor: r.gate.State(), Logs: logs, Storing: r.stores.state(), Health: &h,
	}
	if err := monitor.Write(statusPath(a.cli.Data), &status); err != nil {
		a.log.Warn("cannot write the status file, will retry", "err", err)
	}
}
