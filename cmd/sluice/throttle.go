package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// Each message is logged maxPerMinute times in a minute. A peer or a file that
	// causes one more often cannot fill the disk that the log is on.
	maxPerMinute = 60
	// maxThrottled bounds the messages that are counted: they are fixed phrases.
	maxThrottled = 1024
)

// throttle is a slog.Handler that passes a message on to next at most maxPerMinute
// times a minute, whatever its attributes, and then logs how many were suppressed.
type throttle struct {
	next  slog.Handler
	state *throttleState // shared with what WithAttrs and WithGroup return
}

type throttleState struct {
	mu       sync.Mutex
	messages map[string]*messageCount
}

// messageCount counts one message in the minute that began with since.
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

// count reports whether the message may be logged now, and how many of each message
// were suppressed in a minute that has ended since.
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
