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
	Host  string // that it runs on
	// Version is the program's.
	Version string
	Hosts   map[string]Host
	Sinks   map[string]Sink
	Counts  Counts
	// Problems are those of the process itself.
	Problems []Problem
	// Frozen is for how long of the last age the process did not run; nil: it always did.
	Frozen func(age time.Duration) time.Duration
	// Disk is that of the spool, or of an agent's data; nil: not known.
	Disk *Disk
	// BufferBytes wait in the spool, or in an agent's window; BufferMaxBytes may, 0 for
	// no bound. Segments and UntabledBytes are of a spool.
	BufferBytes, BufferMaxBytes int64
	Segments                    int
	UntabledBytes               int64
}

// Kind is a command of sluice.
type Kind string

// The commands that say how they are.
const (
	Run       Kind = "run"
	Agent     Kind = "agent"
	Collector Kind = "collector"
)

// Counts are since the process began. Accepted lines and batches are on disk, of an
// agent: on its collector's.
type Counts struct {
	Lines, Bytes, Accepted, Batches, Rows, ParseErrors, Segments, Failures int64
}

// Sink is something that lines go to.
type Sink struct {
	Status Level `json:"status"`
	// FailingSeconds is for how long it has failed, Attempts how often; 0: it works.
	FailingSeconds float64 `json:"failing_seconds"`
	Attempts       int     `json:"attempts"`
	Error          string  `json:"error,omitempty"`
}

// The sinks of who stores.
const (
	Table      = "table"
	Columnar   = "columnar" // a table of files beside one in HBase
	Archive    = "archive"
	Spool      = "spool"
	Checkpoint = "checkpoint"
)

// Listener is named beside the sinks while a collector cannot accept connections.
const Listener = "listener"

// Sinks are those of who stores, by what is tried again.
func Sinks(now time.Time, troubles []collector.Trouble) map[string]Sink {
	sinks := map[string]Sink{Table: {}, Archive: {}, Spool: {}, Checkpoint: {}}
	for _, t := range troubles {
		name := sinkOf(t)
		s := sinks[name]
		s.Attempts += t.Attempts
		if age := now.Sub(t.Since).Seconds(); s.Error == "" || age > s.FailingSeconds { // the oldest is the reason
			s.FailingSeconds, s.Error = max(age, 0.001), cmp.Or(t.Error, t.What)
		}
		sinks[name] = s
	}
	return sinks
}

// AgentSinks are those of an agent: its checkpoint. That its collector takes nothing is
// said of its host.
func AgentSinks(now time.Time, s agent.State) map[string]Sink {
	checkpoint := Sink{Attempts: s.UnsavedAttempts, Error: s.Unsaved}
	if s.UnsavedSince != nil {
		checkpoint.FailingSeconds = max(now.Sub(*s.UnsavedSince).Seconds(), 0.001)
	}
	return map[string]Sink{Checkpoint: checkpoint}
}

// sinkOf: beside a sink's own name, with what it does behind a colon, it is a segment
// that cannot be finished.
func sinkOf(t collector.Trouble) string {
	name, _, _ := strings.Cut(t.What, ":")
	switch {
	case slices.Contains([]string{Table, Columnar, Archive, Spool, Checkpoint}, name):
		return name
	case strings.HasPrefix(t.Error, "spool:"):
		return Spool
	}
	return Archive
}

// Senders returns a collector's hosts. Hosts that returned to their preferred collector
// and left no data here are omitted.
func Senders(now time.Time, hosts []receiver.Host, s *collector.State, silentAfter time.Duration) map[string]Host {
	all := map[string]Host{}
	for _, h := range hosts {
		x := Sender(now, h, s.Waiting[h.Name], s.Shares[h.Name])
		x.slow(s.Slow[h.Name])
		x.arrive(s.Arrivals[h.Name])
		if h.Missed || h.Connections > 0 || now.Sub(h.Seen) <= silentAfter || s.Waiting[h.Name] != (collector.Waiting{}) {
			all[h.Name] = x
		}
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
