package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxPerMinute is how often a message is logged in a minute. The limit prevents a peer or a
	// file that causes messages more often from filling the disk of the log.
	maxPerMinute = 60
	// maxThrottled is the limit of messages that are counted. Messages are fixed phrases, so there
	// are fewer; beyond the limit they are logged without being counted.
	maxThrottled = 1024
)

// throttle is a slog.Handler that passes each message, regardless of its attributes, to next at
// most maxPerMinute times a minute. After the minute it logs how many were suppressed.
type throttle struct {
	next  slog.Handler
	state *throttleState // shared with the handlers that WithAttrs and WithGroup return
}

type throttleState struct {
	mu       sync.Mutex
	messages map[string]*messageCount
}

// messageCount counts one message in the minute that began at since.
type messageCount struct {
	since      time.Time
	passed     int
	suppressed int64
}

func newThrottle(next slog.Handler) *throttle {
	return &throttle{next, &throttleState{messages: map[string]*messageCount{}}}
}

// Enabled implements slog.Handler.
func (t *throttle) Enabled(ctx context.Context, level slog.Level) bool {
	return t.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (t *throttle) Handle(ctx context.Context, r slog.Record) error {
	pass, suppressed := t.state.count(r.Message, r.Time)
	for message, n := range suppressed {
		s := slog.NewRecord(r.Time, slog.LevelWarn, "messages suppressed", r.PC)
		s.AddAttrs(slog.String("message", message), slog.Int64("count", n))
		if err := t.next.Handle(ctx, s); err != nil {
			return err
		}
	}
	if !pass {
		return nil
	}
	return t.next.Handle(ctx, r)
}

// count reports whether the message may be logged now. It also returns, by message, how many were
// suppressed in the minutes that have ended.
func (s *throttleState) count(message string, now time.Time) (pass bool, suppressed map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for m, c := range s.messages {
		if now.Sub(c.since) < time.Minute {
			continue
		}
		if c.suppressed > 0 {
			if suppressed == nil {
				suppressed = map[string]int64{}
			}
			suppressed[m] = c.suppressed
		}
		delete(s.messages, m)
	}
	c := s.messages[message]
	if c == nil {
		if len(s.messages) >= maxThrottled {
			return true, suppressed
		}
		c = &messageCount{since: now}
		s.messages[message] = c
	}
	if c.passed >= maxPerMinute {
		c.suppressed++
		return false, suppressed
	}
	c.passed++
	return true, suppressed
}

// WithAttrs implements slog.Handler.
func (t *throttle) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &throttle{t.next.WithAttrs(attrs), t.state}
}

// WithGroup implements slog.Handler.
func (t *throttle) WithGroup(name string) slog.Handler {
	return &throttle{t.next.WithGroup(name), t.state}
}
