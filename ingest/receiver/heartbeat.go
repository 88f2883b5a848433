package receiver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/ingest/avrorpc"
	"sluice/ingest/protocol"
)

const (
	// Limits of the text that is kept of a heartbeat. It is shown to people.
	maxAgentBytes   = 128
	maxReasonBytes  = 512
	maxProblems     = 8
	maxProblemBytes = 512
	// looksPerSecond is the limit of positions that one host's heartbeats look up. Beyond it a
	// heartbeat is answered without positions.
	looksPerSecond = 100_000
)

// counters are the counters that are kept of a heartbeat.
var counters = []string{
	protocol.WrittenBytes, protocol.ReadBytes, protocol.ReceivedBytes, protocol.StoredBytes, protocol.UnreceivedMs, protocol.UnstoredMs,
	protocol.UnacknowledgedBytes, protocol.Files, protocol.LinesPerSecond, protocol.LostBytes, protocol.LostFiles, protocol.FirstLoss, protocol.LastLoss,
	protocol.FirstChoice, protocol.StartedMs, protocol.Elsewhere,
}

// cut returns a text of at most so many bytes, as valid UTF-8.
func cut(text string, bytes int) string {
	return strings.Clone(strings.ToValidUTF8(text[:min(len(text), bytes)], ""))
}

// kept returns the part of a heartbeat that is kept: known counters, and texts cut to their limits.
func kept(b *protocol.Heartbeat) protocol.Heartbeat {
	k := protocol.Heartbeat{TimeMs: b.TimeMs, Governor: b.Governor, Counters: make(map[string]int64, len(counters))}
	k.Governor.Reason = cut(b.Governor.Reason, maxProblemBytes)
	for _, name := range counters {
		if n, ok := b.Counters[name]; ok {
			k.Counters[name] = n
		}
	}
	for _, text := range protocol.FirstProblems(b.Problems, maxProblems+1) {
		k.Problems = append(k.Problems, cut(text, maxProblemBytes))
	}
	return k
}

// rollAgain is the least time between two requests of a host to archive its segments: a hostile one
// would otherwise make a file of each batch.
const rollAgain = 20 * time.Second

// status handles a heartbeat. The reply has the positions that changed, and the number of the last
// loss that was acknowledged here.
func (s *session) status(params []byte) (avrorpc.Finisher, error) {
	if err := s.beat.Decode(params); err != nil {
		return nil, fmt.Errorf("%w: heartbeat: %w", avrorpc.ErrHangUp, err)
	}
	missed := true
	if first, ok := s.beat.Counters[protocol.FirstChoice]; ok {
		missed = first != 0
	}
	started, elsewhere := s.beat.Counters[protocol.StartedMs], s.beat.Counters[protocol.Elsewhere] != 0
	if started > 0 { // such an agent reports when it moves to another collector; until then it is expected here
		missed = !elsewhere
	}
	if s.cfg.Checkpoint.Expected.Set(s.host, missed) { // only changes when a host is new, moves or returns
		s.unsaved.Store(true)
	}
	now, looks, leaves := s.cfg.Now(), false, s.beat.Counters[protocol.Leaving] != 0
	var twin *session
	s.note(s.host, func(h *Host) {
		if len(s.beat.Streams) > 0 {
			h.OldestUnreadMs = oldest(s.beat.Streams)
		}
		h.Beat, h.BeatAt, h.Missed = kept(&s.beat), h.Seen, missed
		s.spoke(h)
		h.StartedMs, h.Elsewhere = started, elsewhere
		h.ClockOffset, h.ClockKnown = h.clock.add(s.beat.TimeMs, now)
		looks = h.looks.take(now, len(s.active))
		if leaves = leaves && now.Sub(h.rolled) >= rollAgain; leaves {
			h.rolled = now
		}
		s.liveness.beat(now)
		twin = s.twin(h, now)
	})
	if twin != nil {
		s.fault(s.host, "name", fmt.Sprintf("two agents use this name, at %s and %s: give one of them another with --host", s.peer.Address, twin.peer.Address))
	}
	if leaves {
		s.cfg.Collector.Roll(s.host)
	}
	s.beat = protocol.Heartbeat{}
	d := protocol.Directive{AcknowledgedLoss: s.cfg.AcknowledgedLoss(s.host)}
	if looks {
		d.Positions = s.positions()
	}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return d.AppendVersion(b, s.version), nil }), nil
}

// positions returns the positions that changed since they were reported.
func (s *session) positions() (changed []protocol.Position) {
	for id, x := range s.active {
		if len(changed) == protocol.MaxStreams {
			break
		}
		p := s.cfg.Collector.Position(x.tracked, x.claimed)
		if p != x.reported {
			x.reported = p
			changed = append(changed, protocol.Position{Stream: id, Received: p.Received, Stored: p.Stored})
		}
		if p.Received == p.Stored && p.Received >= x.offered {
			delete(s.active, id)
		}
	}
	return changed
}

// bucket limits how many positions a host may look up in a second.
type bucket struct {
	left float64
	at   time.Time
}

// take reports whether a lookup of n positions is permitted now.
func (b *bucket) take(now time.Time, n int) bool {
	if b.at.IsZero() {
		b.left = looksPerSecond
	}
	b.left = min(b.left+max(0, now.Sub(b.at).Seconds())*looksPerSecond, looksPerSecond)
	b.at = now
	if b.left <= 0 {
		return false
	}
	b.left -= float64(n) // may become negative: the next lookups wait for the difference
	return true
}

// oldest returns the time in ms since 1970 when the oldest unread byte was written, or 0 if there
// is none.
func oldest(streams []protocol.Progress) (ms int64) {
	for _, p := range streams {
		if p.OldestUnreadMs > 0 && (ms == 0 || p.OldestUnreadMs < ms) {
			ms = p.OldestUnreadMs
		}
	}
	return ms
}

// liveness has the times of a session's hello and of its last two heartbeats.
type liveness struct{ hello, before, last time.Time }

func (l *liveness) greeted(now time.Time) { l.hello = now }

func (l *liveness) beat(now time.Time) { l.before, l.last = l.last, now }

// twin returns another session of the same host that is in use at the same time, or nil. A
// connection that broke, but is not known to be closed yet, sends no second heartbeat after the
// hello of the next connection, so it is not taken for one. r.mu must be held.
func (s *session) twin(h *Host, now time.Time) *session {
	for o := range h.sessions {
		if o != s && o.liveness.before.After(s.liveness.hello) && s.liveness.before.After(o.liveness.hello) && now.Sub(o.liveness.last) < FaultFor {
			return o
		}
	}
	return nil
}
