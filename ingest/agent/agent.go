package agent

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/ingest/checkpoint"
	"sluice/ingest/protocol"
	"sluice/ingest/tail"
	"sluice/schema"
)

// Config is what an Agent works with.
type Config struct {
	// Collectors are addresses, host:port; which of them is this host's first choice
	// follows from Tail.Host.
	Collectors []string
	// Flume: they are Flume's Avro sources; Compression is None then.
	Flume bool
	// Dial connects to one of them; it gives up by itself after a while.
	Dial       func(ctx context.Context, address string) (net.Conn, error)
	Checkpoint *checkpoint.File
	// Tail says what is followed; the Agent gives it Checkpoint and Position.
	Tail tail.Config
	// Name is the program's, with its version.
	Name        string
	Compression protocol.Compression
	// WindowBytes bounds what is read and not acknowledged, compressed.
	WindowBytes int64
	// FailoverAfter a collector is away the next one is taken. 0: never.
	FailoverAfter time.Duration
	// Heartbeat is how often a collector is told how this host is, and tells what is
	// stored.
	Heartbeat time.Duration
	// Drain is how long what is in the window may take after the end.
	Drain time.Duration
	// Governor says how reading is held back; nil: it is not.
	Governor func() protocol.Governor
	// Others, if any, says what else is wrong with this host's logs, and what may be.
	Others func() (troubles, warnings []string)
	// Report, if any, is called at the start and at every heartbeat, by one goroutine.
	Report func(*tail.Tailer)
	Log    *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Agent sends logs. Run is called once; State may be asked for at any time.
type Agent struct {
	cfg    Config
	window *window
	// started is when the process started, as collectors are told.
	started   time.Time
	farewells *farewells

	mu      sync.Mutex // guards what follows
	state   State
	begin   map[schema.StreamID]int64  // from where the present tailer began
	refused map[schema.StreamID]string // what the collector does not take
	skipped int64                      // bytes of these that were read
	// distrusted are positions that were not believed.
	distrusted []string
	// lastContested is the last place at which a collector had other lines.
	lastContested ending
	forked        bool // a log became another stream: all is read again
	tailer        *tail.Tailer
	dirty         bool // a stored position changed
	// halt ends the present tailer; nil where there is none. restart waits for
	// restarting, and from is what it asks for.
	halt       func()
	restarting chan struct{}
	from       map[schema.StreamID]int64
}

// State is how an Agent stands with its collectors.
type State struct {
	Collector string    `json:"collector"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // of Connected, or of not
	Error     string    `json:"error,omitempty"` // why not
	// Busy is why the collector takes nothing for now.
	Busy      string     `json:"busy,omitempty"`
	BusySince *time.Time `json:"busy_since,omitempty"`
	// UnacknowledgedBytes were read and are not on a collector's disk; compressed.
	UnacknowledgedBytes int64 `json:"unacknowledged_bytes"`
	// SentLines and SentBatches a collector has acknowledged since the agent began.
	SentLines   int64 `json:"sent_lines"`
	SentBatches int64 `json:"sent_batches"`
	// Refused are streams that the collector does not take, and why.
	Refused map[string]string `json:"refused,omitempty"`
	// Unsaved is why the checkpoint cannot be saved, since UnsavedSince, after
	// UnsavedAttempts; "": it can.
	Unsaved         string     `json:"unsaved,omitempty"`
	UnsavedSince    *time.Time `json:"unsaved_since,omitempty"`
	UnsavedAttempts int        `json:"unsaved_attempts,omitempty"`
}

// New makes an Agent.
func New(cfg Config) *Agent {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Agent{cfg: cfg, started: cfg.Now(), farewells: newFarewells(), window: newWindow(cfg.WindowBytes),
		begin: map[schema.StreamID]int64{}, refused: map[schema.StreamID]string{}, state: State{Since: cfg.Now()}}
}

// Run reads and sends until ctx is done, then sends for Drain what was read by then.
// It returns nil when ctx ended it; what is not stored is read again by the next life.
func (a *Agent) Run(ctx context.Context) error {
	draining, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, running := errgroup.WithContext(draining)
	met := make(chan struct{})
	group.Go(func() error {
		defer a.window.end()
		select {
		case <-met: // the collector says from where
		case <-ctx.Done():
			return nil
		case <-running.Done():
			return nil
		}
		return a.read(ctx, running)
	})
	group.Go(func() error { defer stop(); return a.send(ctx, running, met) })
	group.Go(func() error { a.tick(running); return nil })
	group.Go(func() error { a.sayFarewell(running); return nil })
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

// State is how it stands.
func (a *Agent) State() State {
	unacknowledged := a.window.size()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.state
	s.UnacknowledgedBytes = unacknowledged
	s.Refused = map[string]string{}
	for id, why := range a.refused {
		s.Refused[id.String()] = why
	}
	return s
}

// change changes the state.
func (a *Agent) change(f func(*State)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.state)
}

// tick reports, and saves what is stored.
func (a *Agent) tick(ctx context.Context) {
	ticker := time.NewTicker(a.cfg.Heartbeat)
	defer ticker.Stop()
	for {
		a.mu.Lock()
		tailer, dirty := a.tailer, a.dirty
		a.dirty = false
		a.mu.Unlock()
		if dirty {
			a.window.keep(func(id schema.StreamID) bool { return a.cfg.Checkpoint.Stream(id) != nil })
			if err := a.trySave(); err != nil {
				a.noteStored()
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

// noteStored: the checkpoint is to be saved.
func (a *Agent) noteStored() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirty = true
}
