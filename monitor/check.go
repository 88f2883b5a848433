package monitor

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/ingest/receiver"
)

// Thresholds are the limits beyond which a state is an error. There is no limit on the traffic: a
// web server without requests has no old lines.
type Thresholds struct {
	// SilentAfter is the time without a heartbeat after which a host is silent, and without a
	// collector after which an agent has failed.
	SilentAfter time.Duration
	// MaxLag is the maximum age of a line that is not in the table, and the maximum time for which
	// a governor may pause and a sink may fail.
	MaxLag time.Duration
	// RollInterval is added to MaxLag for the archive, whose files stay open that long. 0: unknown,
	// the archive's lag is not checked.
	RollInterval time.Duration
}

// Health is the content of /health, which uptime checkers read.
type Health struct {
	Status  Level           `json:"status"`
	Metrics map[string]Host `json:"metrics"`
	Process Process         `json:"process"`
}

// Process is the state of the process itself.
type Process struct {
	Kind      Kind    `json:"kind"`
	Host      string  `json:"host"`
	Version   string  `json:"version,omitempty"`
	UpSeconds float64 `json:"up_seconds"`
	// Reasons are the texts of Problems that are errors, Warnings of those that are not.
	Reasons  []string        `json:"reasons,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	Problems []Problem       `json:"problems,omitempty"`
	Sinks    map[string]Sink `json:"sinks,omitempty"`
	// BufferBytes is the size of the spool, or of an agent's window, BufferMaxBytes its limit.
	BufferBytes    int64 `json:"buffer_bytes"`
	BufferMaxBytes int64 `json:"buffer_max_bytes"`
	Disk           *Disk `json:"disk,omitempty"`
}

// Well reports whether there is no error. Warnings are ignored.
func (h *Health) Well() bool { return h.Status != Failing }

// spelled returns the host of a name, which may be spelled otherwise than the host spells it.
func (h *Health) spelled(name string) (x Host, known bool) {
	if x, known = h.Metrics[name]; known {
		return x, true
	}
	for other, x := range h.Metrics {
		if receiver.SameName(other, name) {
			return x, true
		}
	}
	return x, false
}

// Check calculates the state of every host and of the process.
func (f *Fleet) Check(t Thresholds) Health {
	h := Health{Metrics: make(map[string]Host, len(f.Hosts)), Process: Process{Kind: f.Kind, Host: f.Host, Version: f.Version,
		UpSeconds: f.Now.Sub(f.Began).Seconds(), Sinks: map[string]Sink{}, BufferBytes: f.BufferBytes, BufferMaxBytes: f.BufferMaxBytes, Disk: f.Disk}}
	problems := slices.Concat(f.Problems, f.diskProblems())
	for _, name := range slices.Sorted(maps.Keys(f.Sinks)) {
		s := f.Sinks[name]
		if p := s.problem(f.Now, name, t); p != nil {
			problems = append(problems, *p)
			s.Status = p.Level
		} else {
			s.Status = Okay
		}
		h.Process.Sinks[name] = s
	}
	offset, ownClock := f.clockOffset()
	if ownClock != nil {
		problems = append(problems, *ownClock)
	}
	byLevel(problems)
	h.Process.Problems, h.Process.Reasons, h.Process.Warnings = problems, textsOf(problems, Failing), textsOf(problems, Warn)
	h.Status = levelOf(problems)
	for name, x := range f.Hosts {
		x.judge(name, f, t, offset)
		h.Status = worst(h.Status, x.Status)
		h.Metrics[name] = x
	}
	return h
}

// problem returns the problem of a sink, nil if it does not fail.
func (s *Sink) problem(now time.Time, name string, t Thresholds) *Problem {
	if s.FailingSeconds <= 0 {
		return nil
	}
	kind := SinkRetries
	if s.FailingSeconds > t.MaxLag.Seconds() {
		kind = SinkFails
	}
	p := kind.New(fmt.Sprintf("the %s has failed for %s, since %s, %d attempts: %s", name, span(s.FailingSeconds),
		now.Add(-span(s.FailingSeconds)).UTC().Format(time.RFC3339), s.Attempts, s.Error))
	return &p
}

// span returns a duration rounded to seconds, for messages.
func span(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}
