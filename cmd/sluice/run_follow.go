package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"sluice/ingest"
	"sluice/ingest/collector"
	"sluice/ingest/governor"
	"sluice/ingest/tail"
	"sluice/monitor"
	"sluice/parse"
	"sluice/print"
)

// tickInterval is the time between two flushes of the table, and between two writes of the status.
const tickInterval = 5 * time.Second

// follow reads logs as they grow, and stores their lines, until the process is stopped.
func (r *runCmd) follow(a *app, format string) (err error) {
	defer a.daemon()()
	sources, err := r.sources(r.Files, r.Exclude, format, r.Timezone)
	if err != nil {
		return err
	}
	formats := make([]string, 0, len(sources))
	for _, s := range sources {
		formats = append(formats, s.Format)
	}
	configuration, err := r.apache(a, sources, r.Exclude, r.Timezone)
	if err != nil {
		return err
	}
	if configuration != nil {
		formats = append(formats, parse.AutoName)
	}
	trace, err := r.openTrace()
	if err != nil {
		return err
	}
	gate, err := r.govern(a, trace)
	if err != nil {
		return errors.Join(err, trace.Close())
	}
	defer func() { err = errors.Join(err, trace.Close()) }()
	var s *stores
	start := &starting{waitsFor: r.waitsFor(), kind: monitor.Run, host: r.Host, flags: &r.statusFlags, thresholds: monitor.Thresholds{SilentAfter: silentAfter, MaxLag: r.MaxLag, RollInterval: r.RollInterval}}
	err = start.withRetry(a, func() (err error) {
		s, err = r.open(a, storeOptions{formats: formats, collector: collector.Config{RetryFailures: true}})
		return err
	})
	if a.interrupted(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	// followApache saves its sources in the data directory, which opening the stores has created.
	defer a.followApache(configuration)()
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	w, endWatch, err := a.watch(s.spool, &r.messageFlags, monitor.Run, r.Host, expectFlags{}, nil)
	if err != nil {
		return errors.Join(err, s.collector.Abort())
	}
	defer endWatch()
	at := &following{cmd: r, configuration: configuration, began: time.Now(), stores: s, gate: gate, watch: w}
	remembered, forget := a.keepHistory()
	defer forget()
	at.history = remembered
	end, err := r.serve(a, watched{at.fleet, at.thresholds(), remembered, logsOf(s.checkpoint, nil), r.requestsPage(a)})
	if err != nil {
		return errors.Join(err, s.collector.Abort())
	}
	defer end()
	a.log.Info("following logs", "sources", countSources(sources, configuration), "cpu_percent", r.CPU)
	report := func(t *tail.Tailer) {
		at.tailer.Store(t)
		a.acknowledge(w, r.Host, s.checkpoint, t.Counters())
		at.report(a)
	}
	err = s.finish(a.ctx, ingest.Follow(a.ctx, ingest.FollowConfig{
		Checkpoint: s.checkpoint, Collector: s.collector, Ticks: ticker.C, Report: report,
		Tail: tail.Config{
			Sources: sources, Changing: changing(configuration), Host: r.Host, FromEnd: r.FromEnd, Latency: r.Latency, Gate: gate, MinMargin: r.MinMargin, Log: a.log,
		},
	}))
	if at.tailer.Load() != nil {
		at.report(a)
	}
	if err != nil {
		return notStored(err)
	}
	c := &s.collector.Counters
	print.Textf(a.stdout, "lines=%d bytes=%d rows=%d parse_errors=%d seconds=%.2f archive_files=%d\n",
		c.Lines.Load(), c.Bytes.Load(), c.Rows.Load(), c.ParseErrors.Load(), time.Since(at.began).Seconds(), c.Segments.Load())
	return nil
}

// govern returns the governor. Unless --no-nice is set, it also lowers the priority of this process
// and limits it to one processor.
func (f *followFlags) govern(a *app, trace *governor.Trace) (*governor.Governor, error) {
	if f.CPU < 0 || f.Latency < 0 || f.MinMargin < 0 {
		return nil, usage("--cpu, --latency and --min-margin must be at least 0")
	}
	if f.FromStart && f.FromEnd {
		return nil, usage("--from-start and --from-end exclude each other\nhint: give one of them")
	}
	if !f.NoNice {
		if err := governor.Lower(); err != nil {
			a.log.Warn("cannot lower the process priority, running at normal priority", "err", err)
		}
		if os.Getenv("GOMAXPROCS") == "" {
			runtime.GOMAXPROCS(1)
		}
	}
	return governor.New(governor.Config{CPUShare: float64(f.CPU) / 100, CatchUp: f.CatchUp, Root: "/", Trace: trace, Log: a.log})
}

// openTrace creates the file of --trace. nil: the flag is not set.
func (f *followFlags) openTrace() (*governor.Trace, error) {
	if f.Trace == "" {
		return nil, nil
	}
	file, err := os.Create(f.Trace)
	if err != nil {
		return nil, usage("--trace: %w", err)
	}
	return &governor.Trace{W: file}, nil
}

func statusPath(data string) string { return filepath.Join(data, "status.json") }
