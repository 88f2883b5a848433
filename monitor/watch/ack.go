package watch

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Ack is an acknowledgement by an operator. Until it ends, no reminders are sent.
type Ack struct {
	Until time.Time `json:"until"`
	Why   string    `json:"why"`
	At    time.Time `json:"at"`
}

// Active reports whether the acknowledgement exists and has not ended. A nil Ack is not active. One
// that lasts for longer than MaxAck is not, except for an hour: it was made while this clock was
// ahead.
func (a *Ack) Active(now time.Time) bool {
	return a != nil && now.Before(a.Until) && a.Until.Sub(now) <= MaxAck+time.Hour
}

// String returns the acknowledgement as a text for status and messages.
func (a *Ack) String() string {
	return fmt.Sprintf("acknowledged until %s: %s", a.Until.UTC().Format(time.RFC3339), a.Why)
}

const (
	// MaxAck is the longest time of an acknowledgement.
	MaxAck      = 30 * 24 * time.Hour
	maxWhyBytes = 500
)

// ErrUnknownHost is returned for a host that is neither known nor expected.
var ErrUnknownHost = errors.New("no such host")

// Acknowledge stores that an operator knows the problems of host, for span, at most MaxAck. A
// span of 0 or less ends the acknowledgement. Returns ErrUnknownHost for an unknown host.
func (f *File) Acknowledge(now time.Time, host string, span time.Duration, why string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.doc.Hosts[f.spelled(host)]
	if h == nil {
		return fmt.Errorf("watch: acknowledge %q: %w", host, ErrUnknownHost)
	}
	f.changed, f.urgent = true, true
	if span <= 0 {
		h.Ack = nil
		return nil
	}
	h.Ack = &Ack{Until: now.Add(min(span, MaxAck)).UTC().Truncate(time.Second), Why: oneLine(why), At: now.UTC().Truncate(time.Second)}
	return nil
}

// AcknowledgeLoss stores that an operator knows what host lost, and returns what was not
// acknowledged before. numbered is true if the host's agent can be told so (AcknowledgedLoss).
// Returns ErrUnknownHost for an unknown host.
func (f *File) AcknowledgeLoss(host string) (fresh Loss, numbered bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.doc.Hosts[f.spelled(host)]
	if h == nil {
		return Loss{}, false, fmt.Errorf("watch: acknowledge %q: %w", host, ErrUnknownHost)
	}
	fresh = h.Unacknowledged()
	h.Seen, h.SeenNumber = Loss{Files: h.Lost.Files, Bytes: h.Lost.Bytes}, h.Lost.Last
	f.changed, f.urgent = true, true
	return fresh, h.SeenNumber > 0, nil
}

// AcknowledgedLoss returns the number up to which the losses of host were acknowledged here. 0: none
// were.
func (f *File) AcknowledgedLoss(host string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.doc.Hosts[host]; h != nil {
		return h.SeenNumber
	}
	return 0
}

// EndAcks removes the acknowledgements that have ended and returns their hosts.
func (f *File) EndAcks(now time.Time) (ended []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, h := range f.doc.Hosts {
		if h.Ack != nil && !h.Ack.Active(now) {
			h.Ack = nil
			f.changed, f.urgent = true, true
			ended = append(ended, name)
		}
	}
	return ended
}

// oneLine removes line breaks and control characters from s and cuts it to maxWhyBytes.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), maxWhyBytes)], "")
}
