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
	Agent        string     `json:"agent,omitempty"` // name and version of the sending program
	// SeenSeconds is the time since the host last sent something.
	SeenSeconds float64 `json:"seen_seconds"`
	Connections int     `json:"connections"`

	// Bytes of all logs that exist: written >= read >= received >= stored.
	Files         int64 `json:"files"`
	WrittenBytes  int64 `json:"written_bytes"`
	ReadBytes     int64 `json:"read_bytes"`
	ReceivedBytes int64 `json:"received_bytes"`
	StoredBytes   int64 `json:"stored_bytes"`

	// UnreceivedSeconds is the age of the oldest line that the collector has not acknowledged. The
	// next ones are for lines that are not in the table, and not in both table and archive. 0:
	// none.
	UnreceivedSeconds float64 `json:"unreceived_seconds"`
	UntabledSeconds   float64 `json:"untabled_seconds"`
	UnstoredSeconds   float64 `json:"unstored_seconds"`

	LinesPerSecond float64  `json:"lines_per_second"`
	Governor       Governor `json:"governor"`
	LostBytes      int64    `json:"lost_bytes"`
	LostFiles      int64    `json:"lost_files"`

	// Lines and Bytes were sent by the host since this process began, including those that were
	// sent again. Busy and Refused count its batches that were not accepted: for the time being, or
	// at all.
	Lines   int64 `json:"lines"`
	Bytes   int64 `json:"bytes"`
	Busy    int64 `json:"busy"`
	Refused int64 `json:"refused"`
	// Arrived counts the lines that were received since this process began, each once. nil in an
	// agent, which does not parse lines.
	Arrived *collector.Arrivals `json:"arrived,omitempty"`
	// SpoolBytes is the size of the host's data in the collector's spool.
	SpoolBytes int64 `json:"spool_bytes"`

	// NeverHeard is true if the host has been expected since ExpectedSince and has sent nothing.
	// Elsewhere is true if it sends to another collector.
	NeverHeard    bool      `json:"never_heard,omitempty"`
	ExpectedSince time.Time `json:"expected_since,omitzero"`
	Elsewhere     bool      `json:"elsewhere,omitempty"`
	// ClockOffsetSeconds is how far its clock is ahead of this process's clock; nil: not known.
	ClockOffsetSeconds *float64 `json:"clock_offset_seconds,omitempty"`
	// Restarts is the number of restarts of its agent in the last watch.RestartWindow.
	Restarts           int       `json:"restarts,omitempty"`
	CertificateExpires time.Time `json:"certificate_expires,omitzero"`

	certificateIssued time.Time
	refusedAt         time.Time     // when the last of its batches was refused
	heard             bool          // it has sent something to this process
	away              bool          // it sends to another collector, which reports the host's own problems
	absent            bool          // it is away, and this process has neither lines nor problems of it
	lapsed            bool          // its last report that it is with another collector is too old
	missed            bool          // its silence is an error
	silence           time.Duration // time since its last message in which this process ran
	similar           string        // a sending host whose name differs only in the domain
	lost              watch.Loss    // what its agent reports as lost, with the numbers of the losses
	lossSeen          watch.Loss    // the part of it that was acknowledged here
	lossSeenNumber    int64         // number of the last loss that was acknowledged
	rejected          []rejection   // rejected connections with its certificate or name
	problems          []Problem     // problems that it reports, and those of its lines
}

// Add adds a problem with a formatted text.
func (h *Host) Add(kind ProblemKind, format string, args ...any) {
	h.problems = append(h.problems, kind.New(fmt.Sprintf(format, args...)))
}

// Fail adds an error of the kind Unreadable.
func (h *Host) Fail(format string, args ...any) {
	h.Add(Unreadable, format, args...)
}

// Governor is the state of the limits on a host's reading.
type Governor struct {
	PausedSeconds  float64 `json:"paused_seconds"`   // 0: it reads
	BytesPerSecond int64   `json:"bytes_per_second"` // reading limit; 0: none
	Reason         string  `json:"reason"`
}

// Sender returns the state of a host that sends to a collector. waiting are its lines that are
// received and not stored, share its share of the spool.
func Sender(now time.Time, h receiver.Host, waiting collector.Waiting, share collector.Share) Host {
	since := now.Sub(h.BeatAt)
	x := beat(&h.Beat, since)
	if _, ok := h.Beat.Counters[protocol.UnreceivedMs]; !ok && h.OldestUnreadMs > 0 {
		x.UnreceivedSeconds = ago(h.Beat.TimeMs-h.OldestUnreadMs, since)
	}
	// A host that repeats that it is with another collector is connected for a moment.
	away := !h.Missed && (h.Connections == 0 || h.Elsewhere)
	if away { // the collector to which it sends reports what is in the heartbeat
		x = Host{}
	}
	x.away, x.heard = away, !h.Earlier
	x.silence, x.Elsewhere, x.certificateIssued, x.CertificateExpires = now.Sub(h.Seen), h.Elsewhere, h.Issued, h.Expires
	if h.ClockKnown && !away {
		offset := h.ClockOffset.Seconds()
		x.ClockOffsetSeconds = &offset
	}
	x.Agent, x.Connections, x.SeenSeconds = h.Agent, h.Connections, now.Sub(h.Seen).Seconds()
	x.Lines, x.Bytes, x.Busy, x.Refused, x.refusedAt = h.Lines, h.Bytes, h.Busy, h.Refused, h.RefusedAt
	// The silence of a host that sends no heartbeats is an error only without a connection.
	x.missed = h.Missed && (h.Earlier || !h.BeatAt.IsZero() || h.Connections == 0)
	x.wait(waiting)
	for _, f := range h.Faults {
		x.problems = append(x.problems, Faulty.New(fmt.Sprintf("%s (%d times, the last at %s)", f.Text, f.Count, f.At.UTC().Format(time.RFC3339))))
	}
	if h.Shared != "" {
		x.Add(SharedName, "%s", h.Shared)
	}
	x.share(share)
	return x
}

// arrive sets the counts of received lines.
func (h *Host) arrive(a collector.Arrivals) { h.Arrived = &a }

// arrived returns Arrived or, in an agent, the lines that its collector has acknowledged.
func (h *Host) arrived() collector.Arrivals {
	if h.Arrived == nil {
		return collector.Arrivals{Lines: h.Lines, Bytes: h.Bytes}
	}
	return *h.Arrived
}

// share sets the host's part of the spool and adds the problems of exceeding its share.
func (h *Host) share(s collector.Share) {
	h.SpoolBytes = s.Bytes
	if s.Dates != "" {
		h.problems = append(h.problems, OverShare.New(s.Dates))
	}
	if s.OverSeconds > 0 {
		h.problems = append(h.problems, OverShare.New(fmt.Sprintf("it has used its share of the spool for %s, %d bytes in %d batches, and waits until they are stored", span(s.OverSeconds), s.Bytes, s.Batches)))
	}
}

// slow adds a problem if the host's lines are slow to parse.
func (h *Host) slow(s collector.Slow) {
	if s.Seconds > 0 {
		h.problems = append(h.problems, SlowFormat.New(fmt.Sprintf("the format of %.100q is slow: parsing %d bytes of lines took %s", s.Path, s.Bytes, span(s.Seconds))))
	}
}

// Reader returns the state of a host whose logs an agent in this process reads.
func Reader(now time.Time, h protocol.Heartbeat, s agent.State, silentAfter, maxLag time.Duration) Host {
	x := beat(&h, 0)
	x.heard, x.Agent = true, "collector: "+s.Collector
	if s.Connected {
		x.Connections = 1
	} else if away := now.Sub(s.Since); away > silentAfter {
		x.problems = append(x.problems, NoCollector.New(fmt.Sprintf("no collector for %s: %s", round(away), s.Error)))
	}
	if s.BusySince != nil && now.Sub(*s.BusySince) > maxLag {
		x.problems = append(x.problems, CollectorBusy.New(fmt.Sprintf("the collector accepts no batches for %s: %s", round(now.Sub(*s.BusySince)), s.Busy)))
	}
	x.Lines = s.SentLines
	return x
}

// Follower returns the state of a host whose logs this process both reads and stores.
func Follower(now time.Time, s tail.Status, c *tail.Counters, g governor.State, waiting collector.Waiting, arrived collector.Arrivals) Host {
	x := Host{
		Files: int64(s.Files), WrittenBytes: s.WrittenBytes, ReadBytes: s.ReadBytes, ReceivedBytes: s.ReadBytes, StoredBytes: s.StoredBytes,
		UnstoredSeconds: s.UnstoredSeconds, LinesPerSecond: s.LinesPerSecond, LostBytes: c.LostBytes.Load(), LostFiles: c.LostFiles.Load(),
		Governor: Governor{BytesPerSecond: g.BytesPerSecond, Reason: g.Reason}, Lines: c.Lines.Load(), Bytes: c.Bytes.Load(), problems: reports(s.Problems(now)),
	}
	x.heard = true
	for _, text := range s.Warnings(now) {
		x.problems = append(x.problems, reportOf(protocol.WarningPrefix+text))
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

// beat returns the state that a heartbeat reported. since is the time since then. All times in the
// heartbeat are of the sender's clock, so only their differences are used.
func beat(h *protocol.Heartbeat, since time.Duration) Host {
	c := h.Counters
	x := Host{
		Files: c[protocol.Files], WrittenBytes: c[protocol.WrittenBytes], ReadBytes: c[protocol.ReadBytes],
		ReceivedBytes: c[protocol.ReceivedBytes], StoredBytes: c[protocol.StoredBytes],
		LinesPerSecond:    float64(c[protocol.LinesPerSecond]),
		UnreceivedSeconds: ago(c[protocol.UnreceivedMs], since), UnstoredSeconds: ago(c[protocol.UnstoredMs], since),
		Governor: Governor{BytesPerSecond: h.Governor.Budget, Reason: h.Governor.Reason}, problems: reports(h.Problems),
	}
	x.lose(lossOf(c))
	x.UntabledSeconds = x.UnreceivedSeconds
	if h.Governor.PausedSinceMs > 0 {
		x.Governor.PausedSeconds = max(ago(h.TimeMs-h.Governor.PausedSinceMs, since), 0.001)
	}
	return x
}

// lose sets what a host reports as lost.
func (h *Host) lose(lost watch.Loss) {
	h.lost, h.LostFiles, h.LostBytes = lost, lost.Files, lost.Bytes
}

// reports returns the problems that an agent reported as texts.
func reports(texts []string) (problems []Problem) {
	for _, text := range texts {
		problems = append(problems, reportOf(text))
	}
	return problems
}

// ago returns the present value, in seconds, of an age that was ms milliseconds when it was
// reported. since is the time since then. 0 stays 0: there is none.
func ago(ms int64, since time.Duration) float64 {
	if ms <= 0 {
		return 0
	}
	return float64(ms)/1000 + since.Seconds()
}

// wait raises the ages to those of lines that are received and not stored.
func (h *Host) wait(w collector.Waiting) {
	h.UntabledSeconds = max(h.UnreceivedSeconds, w.UntabledSeconds)
	h.UnstoredSeconds = max(h.UnstoredSeconds, h.UntabledSeconds, w.UnstoredSeconds)
}

func round(d time.Duration) time.Duration { return d.Round(time.Second) }
