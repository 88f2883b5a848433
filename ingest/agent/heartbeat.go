package agent

import (
	"context"
	"fmt"
	"maps"
	"time"

	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
	"sluice/ingest/tail"
)

// reporter reports the state of this host to collectors, and takes back what operators acknowledged
// there.
type reporter struct {
	*env
	reader  *reader
	started time.Time // of the process, as reported to collectors
}

// report sends a heartbeat with the additional counters in where, and returns the directive in the
// reply.
func (r *reporter) report(ctx context.Context, client *avrorpc.Client, where map[string]int64) (*protocol.Directive, error) {
	h := r.heartbeat()
	maps.Copy(h.Counters, where)
	reply, err := client.Call(ctx, protocol.MessageStatus, h.Append(nil), nil, nil)
	if err != nil {
		return nil, fmt.Errorf("heartbeat: %w", err)
	}
	d := new(protocol.Directive)
	if err := d.DecodeVersion(reply, protocol.VersionOf(client.Protocol())); err != nil {
		return nil, fmt.Errorf("directive: %w", err)
	}
	r.acknowledge(&h, d)
	return d, nil
}

// heartbeat returns the state of this host as reported to collectors: bytes written, read, received
// and stored, the age of the oldest line that is not, and the problems.
func (r *reporter) heartbeat() protocol.Heartbeat {
	now := r.cfg.Now()
	h := protocol.Heartbeat{Host: r.cfg.Tail.Host, TimeMs: now.UnixMilli()}
	if r.cfg.Governor != nil {
		h.Governor = r.cfg.Governor()
	}
	var skipped int64
	h.Problems, skipped = r.disputes.problems()
	var s tail.Status
	if tailer := r.reader.current(); tailer != nil {
		s = tailer.Status()
		h.Problems = append(h.Problems, s.Problems(now)...)
	}
	warnings := s.Warnings(now)
	if r.cfg.Others != nil {
		problems, others := r.cfg.Others()
		h.Problems, warnings = append(h.Problems, problems...), append(others, warnings...)
	}
	for _, text := range warnings {
		h.Problems = append(h.Problems, protocol.WarningPrefix+text)
	}
	lost := r.cfg.Checkpoint.Losses.Count()
	h.Problems = bounded(h.Problems)
	unreceived, oldest := r.window.unreceived(now)
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
		protocol.UnacknowledgedBytes: r.window.size(), protocol.LinesPerSecond: int64(s.LinesPerSecond + 0.5),
		protocol.LostBytes: lost.Bytes, protocol.LostFiles: lost.Files, protocol.FirstLoss: lost.First, protocol.LastLoss: lost.Last,
		protocol.StartedMs: r.started.UnixMilli(), protocol.UnreceivedMs: oldest.Milliseconds(), protocol.UnstoredMs: unstored.Milliseconds(),
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
