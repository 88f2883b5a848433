package agent

import (
	"fmt"
	"slices"
	"time"

	"sluice/ingest/protocol"
	"sluice/ingest/tail"
)

// Heartbeat returns the state of this host as reported to collectors: bytes written, read, received
// and stored, the age of the oldest line that is not, and the problems.
func (a *Agent) Heartbeat() protocol.Heartbeat {
	now := a.cfg.Now()
	h := protocol.Heartbeat{Host: a.cfg.Tail.Host, TimeMs: now.UnixMilli()}
	if a.cfg.Governor != nil {
		h.Governor = a.cfg.Governor()
	}
	a.mu.Lock()
	tailer := a.tailer
	skipped := a.skipped
	for id, why := range a.refused {
		h.Problems = append(h.Problems, fmt.Sprintf("the collector rejected stream %s: %s", id, why))
	}
	h.Problems = append(h.Problems, a.rejectedPositions...)
	a.mu.Unlock()
	slices.Sort(h.Problems)
	var s tail.Status
	if tailer != nil {
		s = tailer.Status()
		h.Problems = append(h.Problems, s.Problems(now)...)
	}
	warnings := s.Warnings(now)
	if a.cfg.Others != nil {
		problems, others := a.cfg.Others()
		h.Problems, warnings = append(h.Problems, problems...), append(others, warnings...)
	}
	for _, text := range warnings {
		h.Problems = append(h.Problems, protocol.WarningPrefix+text)
	}
	lost := a.cfg.Checkpoint.Losses.Count()
	h.Problems = bounded(h.Problems)
	unreceived, oldest := a.window.unreceived(now)
	if since := now.Sub(s.At); s.UnreadSeconds > 0 {
		oldest = max(oldest, seconds(s.UnreadSeconds)+since)
	}
	unstored := oldest
	if s.UnstoredSeconds > 0 {
		unstored = max(unstored, seconds(s.UnstoredSeconds)+now.Sub(s.At))
	}
	h.Counters = map[string]int64{
		protocol.Files: int64(s.Files), protocol.WrittenBytes: s.WrittenBytes, protocol.ReadBytes: s.ReadBytes,
		protocol.ReceivedBytes: max(s.ReadBytes-unreceived-skipped, s.StoredBytes), protocol.StoredBytes: s.StoredBytes,
		protocol.UnacknowledgedBytes: a.window.size(), protocol.LinesPerSecond: int64(s.LinesPerSecond + 0.5),
		protocol.LostBytes: lost.Bytes, protocol.LostFiles: lost.Files, protocol.FirstLoss: lost.First, protocol.LastLoss: lost.Last,
		protocol.StartedMs: a.started.UnixMilli(), protocol.UnreceivedMs: oldest.Milliseconds(), protocol.UnstoredMs: unstored.Milliseconds(),
	}
	return h
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// bounded cuts texts to the limits of the protocol, in length and number.
func bounded(problems []string) []string {
	for i, text := range problems {
		problems[i] = text[:min(len(text), protocol.MaxStringBytes)]
	}
	return protocol.FirstProblems(problems, protocol.MaxProblems)
}

// unreceived returns how many bytes of the window are not known to be received, and the time since
// the first of them was read.
func (w *window) unreceived(now time.Time) (bytes int64, oldest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.batches {
		bytes += p.Len()
	}
	if len(w.batches) > 0 {
		oldest = now.Sub(w.batches[0].at)
	}
	return bytes, oldest
}
