package watch

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Ack is an acknowledgement: somebody knows, and is not to be told until it ends.
type Ack struct {
	Until time.Time `json:"until"`
	Why   string    `json:"why"`
	At    time.Time `json:"at"`
}

// Active reports whether the acknowledgement has not ended. nil has.
func (a *Ack) Active(now time.Time) bool { return a != nil && now.Before(a.Until) }

// String says it for people.
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

// Acknowledge notes that an operator knows of a host's problems, for a time. A time of 0 or
// less ends an acknowledgement.
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

// AcknowledgeLoss notes that an operator has seen what a host lost, and returns that.
func (f *File) AcknowledgeLoss(host string) (Loss, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.doc.Hosts[f.spelled(host)]
	if h == nil {
		return Loss{}, fmt.Errorf("watch: acknowledge %q: %w", host, ErrUnknownHost)
	}
	fresh := h.Unacknowledged()
	h.Seen = h.Lost
	f.changed, f.urgent = true, true
	return fresh, nil
}

// EndAcks removes the acknowledgements that are over.
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

// oneLine is a text without line breaks and control characters, cut to a bound.
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
