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

// Config configures an Agent.
type Config struct {
	// Collectors are the addresses (host:port) of all collectors. Their order for this host is
	// calculated from Tail.Host (Preference).
	Collectors []string
	// Flume is true if the collectors are Flume Avro sources. Compression must then be None.
	Flume bool
	// Dial connects to an address. It must return an error after a time limit of its own.
	Dial       func(ctx context.Context, address string) (net.Conn, error)
	Checkpoint *checkpoint.File
	// Tail configures the tailer. The Agent sets its Checkpoint and Position.
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

// Agent sends logs to collectors. Run may be called once. State may be called at any time.
type Agent struct {
	cfg    Config
	window *window
	// started is the start time of the process, as reported to collectors.
	started   time.Time
	farewells *farewells

	mu      sync.Mutex // guards the fields below
	state   State
	begin   map[schema.StreamID]int64  // where the current tailer began, if later than the stored position
	refused map[schema.StreamID]string // streams that the collector rejects, with the reason
	skipped int64                      // bytes that were read of rejected streams
	// rejectedPositions are messages about reported positions that failed the check in accept.go.
	rejectedPositions []string
	// lastContested is the last position at which the collector had other lines than the log.
	lastContested ending
	forked        bool // a log became another stream: all logs must be read again
	tailer        *tail.Tailer
	dirty         bool // a stored position changed and the checkpoint is not saved yet
	// halt stops the current tailer; nil if none runs. restarting is closed when the restart that
	// was requested has been done; from are the positions that it requested.
	halt       func()
	restarting chan struct{}
	from       map[schema.StreamID]int64
}

// State is the state of the connection to the collectors.
type State struct {
	Collector string    `json:"collector"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // start of Connected, or of the disconnection
	Error     string    `json:"error,omitempty"` // why it is disconnected
	// Busy is the collector's reason for not accepting batches. "": it accepts them.
	Busy      string     `json:"busy,omitempty"`
	BusySince *time.Time `json:"busy_since,omitempty"`
	// UnacknowledgedBytes is the compressed size of batches that were read and are not known to be
	// on a collector's disk.
	UnacknowledgedBytes int64 `json:"unacknowledged_bytes"`
	// SentLines and SentBatches were acknowledged by a collector since the agent started.
	SentLines   int64 `json:"sent_lines"`
	SentBatches int64 `json:"sent_batches"`
	// Refused are the rejected streams, with the collector's reason.
	Refused map[string]string `json:"refused,omitempty"`
	// Unsaved is the error of saving the checkpoint, which has failed since UnsavedSince,
	// UnsavedAttempts times. "": the last save succeeded.
	Unsaved         string     `json:"unsaved,omitempty"`
	UnsavedSince    *time.Time `json:"unsaved_since,omitempty"`
	UnsavedAttempts int        `json:"unsaved_attempts,omitempty"`
}

// New returns an Agent; Run starts it.
func New(cfg Config) *Agent {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Agent{cfg: cfg, started: cfg.Now(), farewells: newFarewells(), window: newWindow(cfg.WindowBytes),
		begin: map[schema.StreamID]int64{}, refused: map[schema.StreamID]string{}, state: State{Since: cfg.Now()}}
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

// State returns a copy of the current state.
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

// change calls f with the state while mu is held.
func (a *Agent) change(f func(*State)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.state)
}

// tick calls Report and saves changed positions at each heartbeat interval.
func (a *Agent) tick(ctx context.Context) {
	ticker := time.NewTicker(a.cfg.Heartbeat)
	defer ticker.Stop()
	savedLoss := int64(0)
	for {
		a.mu.Lock()
		tailer, dirty := a.tailer, a.dirty
		a.dirty = false
		a.mu.Unlock()
		last := a.cfg.Checkpoint.Losses.Count().Last
		if dirty || last > savedLoss { // an acknowledgement of a loss is for the number that it has on disk
			savedLoss = last
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

// noteStored marks the checkpoint as changed, so that tick saves it.
func (a *Agent) noteStored() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirty = true
}
