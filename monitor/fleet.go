package monitor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sluice/ingest/agent"
	"sluice/ingest/collector"
	"sluice/ingest/receiver"
)

// Fleet is the state of a process and of its hosts: for a collector all hosts that send to it, for
// an agent or a run its own host.
type Fleet struct {
	Now   time.Time
	Began time.Time
	Kind  Kind
	Host  string // on which the process runs
	// Version is the version of the program.
	Version string
	Hosts   map[string]Host
	Sinks   map[string]Sink
	Counts  Counts
	// Problems are the problems of the process itself, besides those that Check finds.
	Problems []Problem
	// Frozen returns for how much of the last age the process did not run, because the machine was
	// suspended. nil: it always ran.
	Frozen func(age time.Duration) time.Duration
	// Disk is the disk of the spool, or of an agent's data directory; nil: not known.
	Disk *Disk
	// BufferBytes is the size of the spool, or of an agent's window, BufferMaxBytes its limit (0:
	// none). Segments and UntabledBytes describe the spool; an agent has none.
	BufferBytes, BufferMaxBytes int64
	Segments                    int
	UntabledBytes               int64
}

// Kind is the sluice command that a process runs.
type Kind string

// The commands whose state is reported.
const (
	Run       Kind = "run"
	Agent     Kind = "agent"
	Collector Kind = "collector"
)

// Counts are counted since the process began. Accepted lines and batches are on disk: for an agent
// on the disk of its collector.
type Counts struct {
	Lines, Bytes, Accepted, Batches, Rows, ParseErrors, Segments, Failures int64
}

// Sink is a destination of lines and its state.
type Sink struct {
	Status Level `json:"status"`
	// FailingSeconds is how long it has been failing, Attempts how often it was tried. 0: it works.
	FailingSeconds float64 `json:"failing_seconds"`
	Attempts       int     `json:"attempts"`
	Error          string  `json:"error,omitempty"`
}

// The sinks of a collector or a run. An agent has only Checkpoint.
const (
	Table      = "table"
	Columnar   = "columnar" // a columnar table besides the one in HBase
	Archive    = "archive"
	Spool      = "spool"
	Checkpoint = "checkpoint"
)

// Listener is the name of an additional sink while a collector cannot accept connections.
const Listener = "listener"

// Sinks returns the sinks of a collector or a run, calculated from the operations that are being
// retried.
func Sinks(now time.Time, retries []collector.RetryState) map[string]Sink {
	sinks := map[string]Sink{Table: {}, Archive: {}, Spool: {}, Checkpoint: {}}
	for _, t := range retries {
		name := sinkOf(t)
		s := sinks[name]
		s.Attempts += t.Attempts
		// Report the error of the oldest failure.
		if age := now.Sub(t.Since).Seconds(); s.Error == "" || age > s.FailingSeconds {
			s.FailingSeconds, s.Error = max(age, 0.001), cmp.Or(t.Error, t.What)
		}
		sinks[name] = s
	}
	return sinks
}

// AgentSinks returns the sinks of an agent, which are only its checkpoint. A collector that accepts
// no batches is reported as a problem of the host.
func AgentSinks(now time.Time, s agent.State) map[string]Sink {
	checkpoint := Sink{Attempts: s.UnsavedAttempts, Error: s.Unsaved}
	if s.UnsavedSince != nil {
		checkpoint.FailingSeconds = max(now.Sub(*s.UnsavedSince).Seconds(), 0.001)
	}
	return map[string]Sink{Checkpoint: checkpoint}
}

// sinkOf returns the name of the sink that is retried. RetryState.What is the name of a sink, with
// an optional operation after a colon, or otherwise names a segment that cannot be finished; then
// its error decides between spool and archive.
func sinkOf(t collector.RetryState) string {
	name, _, _ := strings.Cut(t.What, ":")
	switch {
	case slices.Contains([]string{Table, Columnar, Archive, Spool, Checkpoint}, name):
		return name
	case strings.HasPrefix(t.Error, "spool:"):
		return Spool
	}
	return Archive
}

// Senders returns a collector's hosts. Remember omits those that send to another collector and have
// nothing here, unless they are expected.
func Senders(now time.Time, hosts []receiver.Host, s *collector.State) map[string]Host {
	all := map[string]Host{}
	for _, h := range hosts {
		x := Sender(now, h, s.Waiting[h.Name], s.Shares[h.Name])
		x.slow(s.Slow[h.Name])
		x.arrive(s.Arrivals[h.Name])
		x.absent = x.away && len(x.problems) == 0 && s.Waiting[h.Name] == (collector.Waiting{})
		all[h.Name] = x
	}
	for name, w := range s.Waiting {
		if _, known := all[name]; !known { // received by an earlier process
			var x Host
			x.wait(w)
			x.share(s.Shares[name])
			x.arrive(s.Arrivals[name])
			all[name] = x
		}
	}
	return all
}
