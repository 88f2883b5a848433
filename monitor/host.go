package monitor

import (
	"fmt"
	"time"

	"sluice/ingest/agent"
	"sluice/ingest/collector"
	"sluice/ingest/governor"
	"sluice/ingest/protocol"
	"sluice/ingest/receiver"
	"sluice/ingest/tail"
	"sluice/monitor/watch"
)

// Host is the state of one host: what Apache wrote and what is stored of it. Ages are in seconds.
// An age is measured by the clock of the host that reported it, plus the time since the report by
// this process's clock, so the clocks of two hosts are never compared.
type Host struct {
	Status Level `json:"status"`
	// Reasons are the texts of Problems that are errors, Warnings of those that are not.
	Reasons  []string  `json:"reasons,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
	// Acknowledged is an active acknowledgement by an operator. Until it ends, the host's errors
	// count as warnings.
	Acknowledged *watch.Ack `json:"acknowledged,omitempty"`
	Agent        string     `json:"agent,omitempty"` // the sender's name and version
	// SeenSeconds is the time since the host last sent something.
	SeenSeconds float64 `json:"seen_seconds"`
	Connections int     `json:"connections"`

	// Of all logs that are there: written >= read >= received >= stored.
	Files         int64 `json:"files"`
	WrittenBytes  int64 `json:"written_bytes"`
	ReadBytes     int64 `json:"read_bytes"`
	ReceivedBytes int64 `json:"received_bytes"`
	StoredBytes   int64 `json:"stored_bytes"`

	// UnreceivedSeconds is the age of the oldest line that the collector has not acknowledged. The
	// next ones are for lines that are not in the table, and not in both table and archive. 0: none.
	UnreceivedSeconds float64 `json:"unreceived_seconds"`
	UntabledSeconds   float64 `json:"untabled_seconds"`
	UnstoredSeconds   float64 `json:"unstored_seconds"`

	LinesPerSecond float64  `json:"lines_per_second"`
	Governor       Governor `json:"governor"`
	LostBytes      int64    `json:"lost_bytes"`
	LostFiles      int64    `json:"lost_files"`

	// Lines and Bytes came of it since this process began, those sent again too; Busy
	// and Refused batches were not taken.
	Lines   int64 `json:"lines"`
	Bytes   int64 `json:"bytes"`
	Busy    int64 `json:"busy"`
	Refused int64 `json:"refused"`
	// Arrived are its lines that were received since this process began, each once; nil in an
	// agent, which does not parse lines.
	Arrived *collector.Arrivals `json:"arrived,omitempty"`
	// SpoolBytes are the host's in the collector's spool.
	SpoolBytes int64 `json:"spool_bytes"`

	// NeverHeard: it is expected since ExpectedSince, and nothing came of it. Elsewhere: it is
	// with another collector.
	NeverHeard    bool      `json:"never_heard,omitempty"`
	ExpectedSince time.Time `json:"expected_since,omitzero"`
	Elsewhere     bool      `json:"elsewhere,omitempty"`
	// ClockOffsetSeconds is by how much its clock is ahead of ours; nil: not known.
	ClockOffsetSeconds *float64 `json:"clock_offset_seconds,omitempty"`
	// Restarts of its agent in the last minutes.
	Restarts           int       `json:"restarts,omitempty"`
	CertificateExpires time.Time `json:"certificate_expires,omitzero"`

	certificateIssued time.Time
	heard             bool          // in this process
	missed            bool          // it is an error when it is silent
	silence           time.Duration // for how long we were awake and heard nothing
	similar           string        // a host that sends under a name that begins alike
	lossSeen          watch.Loss    // what of its loss was acknowledged here
	rejected          []Rejection   // connections with its certificate
	troubles          []Problem     // what it says is wrong, and what its lines are
}

// Add adds a problem with a formatted text.
func (h *Host) Add(kind ProblemKind, format string, args ...any) {
	h.troubles = append(h.troubles, kind.New(fmt.Sprintf(format, args...)))
}

// Warn adds a warning of the kind Noted.
func (h *Host) Warn(format string, args ...any) { h.Add(Noted, format, args...) }

// Fail adds an error that reading has.
func (h *Host) Fail(format string, args ...any) {
	h.Add(Unreadable, format, args...)
}

// Governor is the state of the limits on a host's reading.
type Governor struct {
	PausedSeconds  float64 `json:"paused_seconds"`   // 0: it reads
	BytesPerSecond int64   `json:"bytes_per_second"` // that may be read; 0: no limit
	Reason         string  `json:"reason"`
}

// Sender is a host that sends to a collector, which has waiting of it.
func Sender(now time.Time, h receiver.Host, waiting collector.Waiting, share collector.Share) Host {
	since := now.Sub(h.BeatAt)
	x := beat(&h.Beat, since)
	if _, said := h.Beat.Counters[protocol.UnreceivedMs]; !said && h.OldestUnreadMs > 0 {
		x.UnreceivedSeconds = ago(h.Beat.TimeMs-h.OldestUnreadMs, since)
	}
	if !h.Missed && h.Connections == 0 { // another collector has what it reads now
		x.UnreceivedSeconds, x.UnstoredSeconds, x.troubles = 0, 0, nil
	}
	x.heard = !h.Earlier
	x.silence, x.Elsewhere, x.certificateIssued, x.CertificateExpires = now.Sub(h.Seen), h.Elsewhere && h.Connections == 0, h.Issued, h.Expires
	if h.ClockKnown {
		offset := h.ClockOffset.Seconds()
		x.ClockOffsetSeconds = &offset
	}
	x.Agent, x.Connections, x.SeenSeconds = h.Agent, h.Connections, now.Sub(h.Seen).Seconds()
	x.Lines, x.Bytes, x.Busy, x.Refused = h.Lines, h.Bytes, h.Busy, h.Refused
	// Who sends no heartbeats is well as long as its connection is there.
	x.missed = h.Missed && (h.Earlier || !h.BeatAt.IsZero() || h.Connections == 0)
	x.wait(waiting)
	for _, f := range h.Faults {
		x.troubles = append(x.troubles, Faulty.New(fmt.Sprintf("%s (%d times, the last at %s)", f.Text, f.Count, f.At.UTC().Format(time.RFC3339))))
	}
	if h.Shared != "" {
		x.Add(SharedName, "%s", h.Shared)
	}
	x.share(share)
	return x
}

// arrive sets the counts of received lines.
func (h *Host) arrive(a collector.Arrivals) { h.Arrived = &a }

// arrived is Arrived, or what an agent knows: the lines that its collector has.
func (h *Host) arrived() collector.Arrivals {
	if h.Arrived == nil {
		return collector.Arrivals{Lines: h.Lines, Bytes: h.Bytes}
	}
	return *h.Arrived
}

// share adds what the host has of the spool.
func (h *Host) share(s collector.Share) {
	h.SpoolBytes = s.Bytes
	if s.Dates != "" {
		h.troubles = append(h.troubles, OverShare.New(s.Dates))
	}
	if s.OverSeconds > 0 {
		h.troubles = append(h.troubles, OverShare.New(fmt.Sprintf("it has used its share of the spool for %s, %d bytes in %d batches, and waits until they are stored", span(s.OverSeconds), s.Bytes, s.Batches)))
	}
}

// slow adds a warning that the host's lines are slow to parse.
func (h *Host) slow(s collector.Slow) {
	if s.Seconds > 0 {
		h.troubles = append(h.troubles, SlowFormat.New(fmt.Sprintf("the format of %.100q is slow: parsing %d bytes of lines took %s", s.Path, s.Bytes, span(s.Seconds))))
	}
}

// Reader is a host whose logs an agent in this process reads.
func Reader(now time.Time, h protocol.Heartbeat, s agent.State, silentAfter, maxLag time.Duration) Host {
	x := beat(&h, 0)
	x.heard, x.Agent = true, "collector: "+s.Collector
	if s.Connected {
		x.Connections = 1
	} else if away := now.Sub(s.Since); away > silentAfter {
		x.troubles = append(x.troubles, NoCollector.New(fmt.Sprintf("no collector for %s: %s", round(away), s.Error)))
	}
	if s.BusySince != nil && now.Sub(*s.BusySince) > maxLag {
		x.troubles = append(x.troubles, CollectorBusy.New(fmt.Sprintf("the collector accepts no batches for %s: %s", round(now.Sub(*s.BusySince)), s.Busy)))
	}
	x.Lines = s.SentLines
	return x
}

// Follower is a host whose logs this process both reads and stores.
func Follower(now time.Time, s tail.Status, c *tail.Counters, g governor.State, waiting collector.Waiting, arrived collector.Arrivals) Host {
	x := Host{
		Files: int64(s.Files), WrittenBytes: s.WrittenBytes, ReadBytes: s.ReadBytes, ReceivedBytes: s.ReadBytes, StoredBytes: s.StoredBytes,
		UnstoredSeconds: s.UnstoredSeconds, LinesPerSecond: s.LinesPerSecond, LostBytes: c.LostBytes.Load(), LostFiles: c.LostFiles.Load(),
		Governor: Governor{BytesPerSecond: g.BytesPerSecond, Reason: g.Reason}, Lines: c.Lines.Load(), Bytes: c.Bytes.Load(), troubles: reports(s.Troubles(now)),
	}
	x.heard = true
	for _, text := range s.Warnings(now) {
		x.Add(UnreadLog, "%s", text)
	}
	if s.UnreadSeconds > 0 {
		x.UnreceivedSeconds = s.UnreadSeconds + now.Sub(s.At).Seconds()
	}
	if g.Level == governor.Paused {
		x.Governor.PausedSeconds = now.Sub(g.Since).Seconds()
	}
	x.wait(waiting)
	x.arrive(arrived)
	return x
}

// beat is what a heartbeat says that came a while ago. All its times are of one clock,
// so only their distances count.
func beat(h *protocol.Heartbeat, since time.Duration) Host {
	c := h.Counters
	x := Host{
		Files: c[protocol.Files], WrittenBytes: c[protocol.WrittenBytes], ReadBytes: c[protocol.ReadBytes],
		ReceivedBytes: c[protocol.ReceivedBytes], StoredBytes: c[protocol.StoredBytes],
		LinesPerSecond: float64(c[protocol.LinesPerSecond]), LostBytes: c[protocol.LostBytes], LostFiles: c[protocol.LostFiles],
		UnreceivedSeconds: ago(c[protocol.UnreceivedMs], since), UnstoredSeconds: ago(c[protocol.UnstoredMs], since),
		Governor: Governor{BytesPerSecond: h.Governor.Budget, Reason: h.Governor.Reason}, troubles: reports(h.Troubles),
	}
	x.UntabledSeconds = x.UnreceivedSeconds
	if h.Governor.PausedSinceMs > 0 {
		x.Governor.PausedSeconds = max(ago(h.TimeMs-h.Governor.PausedSinceMs, since), 0.001)
	}
	return x
}

// reports are the problems that an agent reports as texts.
func reports(texts []string) (problems []Problem) {
	for _, text := range texts {
		problems = append(problems, ReportOf(text))
	}
	return problems
}

// ago is an age of so many ms, so long ago, in seconds; 0 stays 0.
func ago(ms int64, since time.Duration) float64 {
	if ms <= 0 {
		return 0
	}
	return float64(ms)/1000 + since.Seconds()
}

// wait adds what is received and not stored.
func (h *Host) wait(w collector.Waiting) {
	h.UntabledSeconds = max(h.UnreceivedSeconds, w.UntabledSeconds)
	h.UnstoredSeconds = max(h.UnstoredSeconds, h.UntabledSeconds, w.UnstoredSeconds)
}

func round(d time.Duration) time.Duration { return d.Round(time.Second) }
