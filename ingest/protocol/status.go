package protocol

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"sluice/ingest/avrorpc"
	"sluice/schema"
)

// Progress is how far a log is read.
type Progress struct {
	Stream         schema.StreamID
	Size, Read     int64
	OldestUnreadMs int64 // ms since 1970; 0: everything is read
}

// Governor is the state of an agent's governor.
type Governor struct {
	Budget        int64 // bytes a second; 0: no limit
	PausedSinceMs int64 // ms since 1970; 0: not paused
	Reason        string
}

// Heartbeat is the state of a sender.
type Heartbeat struct {
	Host     string
	TimeMs   int64
	Streams  []Progress
	Governor Governor
	Counters map[string]int64
	// Problems are errors, and warnings with WarningPrefix; a collector of an older version shows
	// these as errors.
	Problems []string
}

// WarningPrefix begins a problem that is not an error.
const WarningPrefix = "warning: "

// FirstProblems returns at most n problems; the last one reports how many were left out, as a
// warning if they are all warnings.
func FirstProblems(problems []string, n int) []string {
	if len(problems) <= n {
		return problems
	}
	first, rest := problems[:n-1:n-1], problems[n-1:]
	text := fmt.Sprintf("and %d more", len(rest))
	if !slices.ContainsFunc(rest, func(t string) bool { return !strings.HasPrefix(t, WarningPrefix) }) {
		text = WarningPrefix + text
	}
	return append(first, text)
}

// Counters of sluice's agent in a heartbeat. Of other senders a collector only knows what it
// received.
const (
	// Bytes of all logs that exist: written >= read >= received >= stored.
	WrittenBytes  = "written_bytes"
	ReadBytes     = "read_bytes"
	ReceivedBytes = "received_bytes"
	StoredBytes   = "stored_bytes"
	// Ages at TimeMs of the oldest line that no collector has, and of the oldest that is not
	// stored. 0: none.
	UnreceivedMs = "unreceived_ms"
	UnstoredMs   = "unstored_ms"
	// UnacknowledgedBytes were read and are not on a collector's disk; compressed.
	UnacknowledgedBytes = "unacknowledged_bytes"
	Files               = "files"
	LinesPerSecond      = "lines_per_second"
	// Losses that are not acknowledged: bytes deleted before they were read, and in how many logs.
	// Each loss has a number greater than those before it. FirstLoss is that of the oldest one that
	// is not acknowledged (0: none), LastLoss the greatest that the sender has ever used (0: none).
	LostBytes = "lost_bytes"
	LostFiles = "lost_files"
	FirstLoss = "first_loss"
	LastLoss  = "last_loss"
	// FirstChoice is 0 if the host prefers another collector, which then reports the host when it
	// is silent.
	FirstChoice = "first_choice"
	// StartedMs is when the sender's process started, in ms since 1970 by its own clock.
	StartedMs = "started_ms"
	// Elsewhere is 1 if the host is connected to another collector, or about to be. A sender that
	// reports StartedMs reports this to each of its other collectors.
	Elsewhere = "elsewhere"
	// Leaving is 1 if the host sends no more batches on this connection, and waits until those that
	// were received are stored: the collector should archive the host's segments now.
	Leaving = "leaving"
)

// Append appends the message's encoding.
func (h *Heartbeat) Append(b []byte) []byte {
	b = avrorpc.AppendLong(avrorpc.AppendBytes(b, h.Host), h.TimeMs)
	b = avrorpc.AppendCount(b, len(h.Streams))
	for _, p := range h.Streams {
		b = binary.BigEndian.AppendUint64(b, uint64(p.Stream))
		b = avrorpc.AppendLong(avrorpc.AppendLong(avrorpc.AppendLong(b, p.Size), p.Read), p.OldestUnreadMs)
	}
	b = avrorpc.AppendEnd(b, len(h.Streams))
	b = avrorpc.AppendLong(avrorpc.AppendLong(b, h.Governor.Budget), h.Governor.PausedSinceMs)
	b = avrorpc.AppendBytes(b, h.Governor.Reason)
	b = avrorpc.AppendCount(b, len(h.Counters))
	for k, v := range h.Counters {
		b = avrorpc.AppendLong(avrorpc.AppendBytes(b, k), v)
	}
	b = avrorpc.AppendCount(avrorpc.AppendEnd(b, len(h.Counters)), len(h.Problems))
	for _, text := range h.Problems {
		b = avrorpc.AppendBytes(b, text)
	}
	return avrorpc.AppendEnd(b, len(h.Problems))
}

// Decode parses what Append wrote, from an untrusted sender. It keeps nothing of b.
func (h *Heartbeat) Decode(b []byte) error {
	r := avrorpc.NewReader(b)
	*h = Heartbeat{Host: r.String(MaxStringBytes), TimeMs: r.Long()}
	for items := r.Items(MaxStreams); items.Next(); {
		p := Progress{Stream: readID(&r), Size: r.Long(), Read: r.Long(), OldestUnreadMs: r.Long()}
		h.Streams = append(h.Streams, p)
	}
	h.Governor = Governor{Budget: r.Long(), PausedSinceMs: r.Long(), Reason: r.String(MaxStringBytes)}
	for items := r.Items(MaxCounters); items.Next(); {
		if h.Counters == nil {
			h.Counters = make(map[string]int64)
		}
		k := r.String(MaxCounterBytes)
		h.Counters[k] = r.Long()
	}
	for items := r.Items(MaxProblems); items.Next(); {
		h.Problems = append(h.Problems, r.String(MaxStringBytes))
	}
	return r.End()
}

// Directive is a collector's request to a sender.
type Directive struct {
	Positions         []Position
	Pause             bool
	MaxBytesPerSecond int64 // 0: no limit
	Reason            string
	// AcknowledgedLoss is the number up to which an operator acknowledged the sender's losses at
	// this collector. 0: none, or the version has none.
	AcknowledgedLoss int64
}

// Append appends the message's encoding in the newest version.
func (d *Directive) Append(b []byte) []byte { return d.AppendVersion(b, Version3) }

// AppendVersion appends the message's encoding in a version.
func (d *Directive) AppendVersion(b []byte, v Version) []byte {
	b = avrorpc.AppendBool(appendPositions(b, d.Positions), d.Pause)
	b = avrorpc.AppendBytes(avrorpc.AppendLong(b, d.MaxBytesPerSecond), d.Reason)
	if v == Version2 {
		return b
	}
	return avrorpc.AppendLong(b, d.AcknowledgedLoss)
}

// Decode parses what Append wrote, from an untrusted sender. It reuses the memory of Positions.
func (d *Directive) Decode(b []byte) error { return d.DecodeVersion(b, Version3) }

// DecodeVersion parses what AppendVersion wrote, as Decode does.
func (d *Directive) DecodeVersion(b []byte, v Version) error {
	r := avrorpc.NewReader(b)
	*d = Directive{Positions: readPositions(&r, d.Positions[:0]), Pause: r.Bool(), MaxBytesPerSecond: r.Long(), Reason: r.String(MaxStringBytes)}
	if v != Version2 {
		d.AcknowledgedLoss = r.Long()
	}
	return r.End()
}
