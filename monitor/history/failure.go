package history

import (
	"log/slog"
	"time"
)

// writeFailure logs disk errors: the first at once, then at growing intervals with a count, and the
// recovery. It is not safe for concurrent use.
type writeFailure struct {
	log      *slog.Logger
	since    time.Time
	next     time.Time
	pause    time.Duration
	failures int
}

const (
	firstReport = time.Minute
	maxReport   = time.Hour
)

func (t *writeFailure) failed(at time.Time, err error) {
	if t.failures == 0 {
		t.since, t.pause, t.next = at, firstReport, at
	}
	t.failures++
	if at.Before(t.next) {
		return
	}
	t.log.Warn("history write failed, retrying; collecting continues", "err", err, "attempts", t.failures)
	t.next = at.Add(t.pause)
	t.pause = min(2*t.pause, maxReport)
}

func (t *writeFailure) recovered(at time.Time) {
	if t.failures == 0 {
		return
	}
	t.log.Info("history write recovered", "after", at.Sub(t.since).Round(time.Second), "attempts", t.failures)
	*t = writeFailure{log: t.log}
}
