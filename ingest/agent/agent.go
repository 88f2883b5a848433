package agent

import (
	"context"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/ingest/tail"
	"sluice/schema"
)

// Config configures an Agent.
type Config struct {
	// Collectors are the addresses (host:port) of all collectors. Their order for this host is
	// calculated from Tail.Host (Preference).
	Collectors []string
	// Flume is true if the collectors are Flume Avro sources. Compression must then be None.
	Flume bool
	// Dial connects to an address. It must return an error after a time limit of its own.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Certificate, if not nil, returns the certificate that Dial presents now, in DER. A session
	// with a collector is renewed when it changed. It may be called concurrently.
	Certificate func() []byte
	Checkpoint  *checkpoint.File
	// Tail configures the tailer. The Agent sets its Checkpoint, Position and Received.
	Tail tail.Config
	// Name is the name and version of the program, as reported to collectors.
	Name        string
	Compression protocol.Compression
	// WindowBytes is the limit of compressed bytes that are read but not acknowledged.
	WindowBytes int64
	// FailoverAfter is how long a collector may be unreachable before the next one is tried. 0: no
	// failover.
	FailoverAfter time.Duration
	// Heartbeat is the interval of heartbeats, which report the state of this host; the replies
	// contain the stored positions.
	Heartbeat time.Duration
	// Drain is how long the batches in the window may take to be sent after Run's context is done.
	Drain time.Duration
	// Governor returns the state of the limits on reading. nil: reading is not limited.
	Governor func() protocol.Governor
	// Others, if not nil, returns problems and warnings about this host's logs from outside the
	// tailer.
	Others func() (problems, warnings []string)
	// Report, if not nil, is called at the start and at every heartbeat, always from the same
	// goroutine.
	Report func(*tail.Tailer)
	Log    *slog.Logger
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

// Agent sends logs to collectors. Run may be called once. State and Heartbeat may be called at any
// time.
type Agent struct {
	*env
	reader    *reader
	reporter  *reporter
	farewells *farewells
	sender    *sender
}

// env is shared by all parts of an Agent. It is kept from one connection to the next.
type env struct {
	cfg        *Config
	window     *window
	connection *connectionState
	disputes   *disputes
	claims     *claims
	saver      *saver
	share      *share
}

// New returns an Agent; Run starts it.
func New(cfg Config) *Agent {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Tail.Repeats == nil { // the readers that follow one another share it
		cfg.Tail.Repeats = new(tail.Repeats)
	}
	e := &env{cfg: &cfg, window: newWindow(cfg.WindowBytes), connection: newConnectionState(&cfg), disputes: newDisputes(), claims: newClaims(), saver: &saver{cfg: &cfg}, share: &share{}}
	a := &Agent{env: e, reader: newReader(e)}
	a.reporter = &reporter{env: e, reader: a.reader, started: cfg.Now()}
	a.farewells = newFarewells(&cfg, a.reporter)
	a.sender = &sender{env: e, reader: a.reader, reporter: a.reporter, farewells: a.farewells}
	return a
}

// Run reads and sends until ctx is done, then sends for up to Drain what was read by then. It
// returns nil when ctx ended it. Lines that are not stored by then are read again by the next
// process.
func (a *Agent) Run(ctx context.Context) error {
	draining, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, running := errgroup.WithContext(draining)
	met := make(chan struct{})
	group.Go(func() error {
		defer a.window.end()
		select {
		case <-met: // the collector has reported the positions to read from
		case <-ctx.Done():
			return nil
		case <-running.Done():
			return nil
		}
		return a.reader.run(ctx, running)
	})
	group.Go(func() error { defer stop(); return a.sender.run(ctx, running, met) })
	group.Go(func() error { a.tick(running); return nil })
	group.Go(func() error { a.farewells.run(running); return nil })
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-running.Done():
			return nil
		}
		select {
		case <-time.After(a.cfg.Drain):
			a.cfg.Log.Warn("drain time over before all read lines were sent; they will be read again at the next start", "bytes", a.window.size())
			stop()
		case <-running.Done():
		}
		return nil
	})
	err := group.Wait()
	if saved := a.cfg.Checkpoint.Save(); err == nil {
		err = saved
	}
	return err
}

// tick saves changed positions and calls Report at each heartbeat interval.
func (a *Agent) tick(ctx context.Context) {
	ticker := time.NewTicker(a.cfg.Heartbeat)
	defer ticker.Stop()
	for {
		tailer := a.reader.current()
		if a.saver.due() {
			a.window.keep(func(id schema.StreamID) bool { return a.cfg.Checkpoint.Stream(id) != nil })
			if err := a.saver.try(); err != nil {
				a.saver.changed()
			}
		}
		if tailer != nil && a.cfg.Report != nil {
			a.cfg.Report(tailer)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// State returns a copy of the current state.
func (a *Agent) State() State {
	unacknowledged := a.window.size()
	s := a.connection.snapshot()
	s.UnacknowledgedBytes = unacknowledged
	s.Refused = a.disputes.reasons()
	s.Unsaved, s.UnsavedSince, s.UnsavedAttempts = a.saver.failing()
	return s
}

// Heartbeat returns the state of this host as reported to collectors.
func (a *Agent) Heartbeat() protocol.Heartbeat { return a.reporter.heartbeat() }
