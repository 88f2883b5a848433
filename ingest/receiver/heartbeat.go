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
	// What is kept of a host's words: they are shown to people.
	maxAgentBytes   = 128
	maxReasonBytes  = 512
	maxTroubles     = 8
	maxTroubleBytes = 512
	// looksPerSecond bounds the positions that one host's heartbeats make the collector
	// look up; beyond it a heartbeat is answered without positions.
	looksPerSecond = 100_000
)

// counters are those that are kept of a heartbeat.
var counters = []string{
	protocol.WrittenBytes, protocol.ReadBytes, protocol.ReceivedBytes, protocol.StoredBytes, protocol.UnreceivedMs, protocol.UnstoredMs,
	protocol.UnacknowledgedBytes, protocol.Files, protocol.LinesPerSecond, protocol.LostBytes, protocol.LostFiles, protocol.FirstChoice,
	protocol.StartedMs, protocol.Elsewhere,
}

// cut returns a text of at most so many bytes, in UTF-8.
func cut(text string, bytes int) string {
	return strings.Clone(strings.ToValidUTF8(text[:min(len(text), bytes)], ""))
}

// kept is what is remembered of a heartbeat.
func kept(b *protocol.Heartbeat) protocol.Heartbeat {
	k := protocol.Heartbeat{TimeMs: b.TimeMs, Governor: b.Governor, Counters: make(map[string]int64, len(counters))}
	k.Governor.Reason = cut(b.Governor.Reason, maxTroubleBytes)
	for _, name := range counters {
		if n, ok := b.Counters[name]; ok {
			k.Counters[name] = n
		}
	}
	for _, text := range protocol.FirstTroubles(b.Troubles, maxTroubles+1) {
		k.Troubles = append(k.Troubles, cut(text, maxTroubleBytes))
	}
	return k
}

// status takes a heartbeat and tells what changed.
func (s *session) status(params []byte) (avrorpc.Finisher, error) {
	if err := s.beat.Decode(params); err != nil {
		return nil, fmt.Errorf("%w: heartbeat: %w", avrorpc.ErrHangUp, err)
	}
	missed := true
	if first, said := s.beat.Counters[protocol.FirstChoice]; said {
		missed = first != 0
	}
	started, elsewhere := s.beat.Counters[protocol.StartedMs], s.beat.Counters[protocol.Elsewhere] != 0
	if started > 0 { // it says when it is elsewhere: until then it is missed
		missed = !elsewhere
	}
	if s.cfg.Checkpoint.Expect(s.host, missed) { // once in a host's life
		s.unsaved.Store(true)
	}
	now, looks := s.cfg.Now(), false
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
		s.alive.beat(now)
		twin = s.twin(h, now)
	})
	if twin != nil {
		s.fault(s.host, "name", fmt.Sprintf("two agents use this name, at %s and %s: give one of them another with --host", s.peer.Address, twin.peer.Address))
	}
	s.beat = protocol.Heartbeat{}
	var d protocol.Directive
	if looks {
		d.Positions = s.positions()
	}
	return avrorpc.FinishFunc(func(_ context.Context, b []byte) ([]byte, error) { return d.Append(b), nil }), nil
}

// positions are those that changed since they were told.
func (s *session) positions() (changed []protocol.Position) {
	for id, x := range s.active {
		if len(changed) == protocol.MaxStreams {
			break
		}
		p := s.cfg.Collector.Position(x.tracked, x.claimed)
		if p != x.told {
			x.told = p
			changed = append(changed, protocol.Position{Stream: id, Received: p.Received, Stored: p.Stored})
		}
		if p.Received == p.Stored && p.Received >= x.offered {
			delete(s.active, id)
		}
	}
	return changed
}

// bucket is what a host may still ask for.
type bucket struct {
	left float64
	at   time.Time
}

// take reports whether so many may be looked up now.
func (b *bucket) take(now time.Time, n int) bool {
	if b.at.IsZero() {
		b.left = looksPerSecond
	}
	b.left = min(b.left+max(0, now.Sub(b.at).Seconds())*looksPerSecond, looksPerSecond)
	b.at = now
	if b.left <= 0 {
		return false
	}
	b.left -= float64(n) // below zero: the next ones wait for that
	return true
}

// oldest is when the oldest unread byte was written, 0 where there is none.
func oldest(streams []protocol.Progress) (ms int64) {
	for _, p := range streams {
		if p.OldestUnreadMs > 0 && (ms == 0 || p.OldestUnreadMs < ms) {
			ms = p.OldestUnreadMs
		}
	}
	return ms
}

// liveness is when a session said hello and sent its last two heartbeats.
type liveness struct{ hello, before, last time.Time }

func (l *liveness) said(now time.Time) { l.hello = now }

func (l *liveness) beat(now time.Time) { l.before, l.last = l.last, now }

// twin is another session of the same host that lives beside this one, nil where there
// is none. A connection that broke and is not known to be closed yet sends no second
// heartbeat after the next one's hello. r.mu is held.
func (s *session) twin(h *Host, now time.Time) *session {
	for o := range h.sessions {
		if o != s && o.alive.before.After(s.alive.hello) && s.alive.before.After(o.alive.hello) && now.Sub(o.alive.last) < faultFor {
			return o
		}
	}
	return nil
}
