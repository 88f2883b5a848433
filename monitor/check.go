package monitor

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Thresholds say when something is an error. None of them is one of traffic: a web
// server that is quiet at dawn has no line that is old.
type Thresholds struct {
	// SilentAfter no heartbeat a host is silent, or an agent without a collector.
	SilentAfter time.Duration
	// MaxLag is how old a line may be and not be in the table, how long a governor may
	// pause and a sink may fail.
	MaxLag time.Duration
	// RollInterval is what the archive may take beyond MaxLag: its files are open so
	// long on purpose. 0: nobody says when, and it is not looked at.
	RollInterval time.Duration
}

// Health is /health: what an uptime checker looks at.
type Health struct {
	Status  string          `json:"status"` // OKAY, WARN or ERROR
	Metrics map[string]Host `json:"metrics"`
	Process Process         `json:"process"`
}

// Process is what says so.
type Process struct {
	Kind      Kind     `json:"kind"`
	Host      string   `json:"host"`
	UpSeconds float64  `json:"up_seconds"`
	Reasons   []string `json:"reasons,omitempty"`
	// Warnings are no error yet.
	Warnings []string        `json:"warnings,omitempty"`
	Sinks    map[string]Sink `json:"sinks,omitempty"`
	// BufferBytes wait in the spool, or in an agent's window; BufferMaxBytes may.
	BufferBytes    int64 `json:"buffer_bytes"`
	BufferMaxBytes int64 `json:"buffer_max_bytes"`
}

const (
	okay    = "OKAY"
	warning = "WARN"
	failing = "ERROR"
)

// Well reports whether there is no error; there may be warnings.
func (h *Health) Well() bool { return h.Status != failing }

// Check judges.
func (f *Fleet) Check(t Thresholds) Health {
	h := Health{Status: okay, Metrics: map[string]Host{}, Process: Process{Kind: f.Kind, Host: f.Host,
		UpSeconds: f.Now.Sub(f.Began).Seconds(), Sinks: map[string]Sink{}, BufferBytes: f.BufferBytes, BufferMaxBytes: f.BufferMaxBytes}}
	h.Process.Reasons, h.Process.Warnings = slices.Clone(f.Wrong), f.Soon
	if len(f.Wrong) > 0 {
		h.Status = failing
	}
	for name, x := range f.Hosts {
		x.Reasons, x.Warnings = x.reasons(t), x.warnings
		switch x.Status = okay; {
		case len(x.Reasons) > 0:
			x.Status, h.Status = failing, failing
		case len(x.Warnings) > 0:
			x.Status = warning
			if h.Status == okay {
				h.Status = warning
			}
		}
		h.Metrics[name] = x
	}
	for _, name := range slices.Sorted(maps.Keys(f.Sinks)) {
		s := f.Sinks[name]
		if s.Status = okay; s.FailingSeconds > t.MaxLag.Seconds() {
			s.Status, h.Status = failing, failing
			h.Process.Reasons = append(h.Process.Reasons, fmt.Sprintf("the %s fails for %s, since %s, %d attempts: %s", name, span(s.FailingSeconds),
				f.Now.Add(-span(s.FailingSeconds)).UTC().Format(time.RFC3339), s.Attempts, s.Error))
		}
		h.Process.Sinks[name] = s
	}
	return h
}

// reasons says in words what is wrong with a host.
func (h *Host) reasons(t Thresholds) (reasons []string) {
	add := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if h.missed && h.SeenSeconds > t.SilentAfter.Seconds() {
		add("silent for %s", span(h.SeenSeconds))
	}
	maxLag := t.MaxLag.Seconds()
	switch {
	case h.UnreceivedSeconds > maxLag:
		add("its oldest line is %s old and not received", span(h.UnreceivedSeconds))
	case h.UntabledSeconds > maxLag:
		add("its oldest line is %s old and not in the table", span(h.UntabledSeconds))
	case t.RollInterval > 0 && h.UnstoredSeconds > maxLag+t.RollInterval.Seconds():
		add("its oldest line is %s old and not in the archive", span(h.UnstoredSeconds))
	}
	if h.Governor.PausedSeconds > maxLag {
		add("its governor pauses for %s: %s", span(h.Governor.PausedSeconds), h.Governor.Reason)
	}
	if h.Refused > 0 {
		add("%d of its batches were refused", h.Refused)
	}
	if h.LostFiles > 0 {
		add("%d bytes in %d logs were deleted before they were read", h.LostBytes, h.LostFiles)
	}
	return append(reasons, h.troubles...)
}

// span is for people.
func span(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}
