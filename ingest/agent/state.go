package agent

import (
	"sync"
	"time"
)

// State is the state of the connection to the collectors.
type State struct {
	Collector string    `json:"collector"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // start of Connected, or of the disconnection
	Error     string    `json:"error,omitempty"` // why it is disconnected
	// Busy is the collector's reason for not accepting batches. "": it accepts them.
	Busy      string     `json:"busy,omitempty"`
	BusySince *time.Time `json:"busy_since,omitempty"`
	// UnacknowledgedBytes is the compressed size of batches that were read and are not known to be
	// on a collector's disk.
	UnacknowledgedBytes int64 `json:"unacknowledged_bytes"`
	// SentLines and SentBatches were acknowledged by a collector since the agent started.
	SentLines   int64 `json:"sent_lines"`
	SentBatches int64 `json:"sent_batches"`
	// Refused are the rejected streams, with the collector's reason.
	Refused map[string]string `json:"refused,omitempty"`
	// Unsaved is the error of saving the checkpoint, which has failed since UnsavedSince,
	// UnsavedAttempts times. "": the last save succeeded.
	Unsaved         string     `json:"unsaved,omitempty"`
	UnsavedSince    *time.Time `json:"unsaved_since,omitempty"`
	UnsavedAttempts int        `json:"unsaved_attempts,omitempty"`
}

// connectionState is the part of State about the connection itself, as the sessions change it.
type connectionState struct {
	cfg *Config

	mu    sync.Mutex
	state State
}

func newConnectionState(cfg *Config) *connectionState {
	return &connectionState{cfg: cfg, state: State{Since: cfg.Now()}}
}

// snapshot returns a copy.
func (c *connectionState) snapshot() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// connected records that a collector answered.
func (c *connectionState) connected(collector string, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = State{Collector: collector, Connected: true, Since: since, SentLines: c.state.SentLines, SentBatches: c.state.SentBatches}
}

// disconnected records why there is no connection, and logs each reason once; answered is that the
// collector had answered on this connection.
func (c *connectionState) disconnected(collector string, err error, answered bool) {
	now, text := c.cfg.Now(), err.Error()
	c.mu.Lock()
	announced := !c.state.Connected && !answered && c.state.Error == text
	if c.state.Connected {
		c.state.Since = now
	}
	c.state.Collector, c.state.Connected, c.state.Error = collector, false, text
	c.mu.Unlock()
	if !announced {
		c.cfg.Log.Warn("collector connection failed, retrying", "collector", collector, "err", err)
	}
}

// sent counts a batch that a collector acknowledged.
func (c *connectionState) sent(lines int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.SentLines += int64(lines)
	c.state.SentBatches++
}

// busy records the collector's reason for not accepting batches; "" means that it accepts them. It
// reports whether this changed.
func (c *connectionState) busy(why string) (changed bool) {
	c.mu.Lock()
	s := &c.state
	if changed = (s.Busy == "") != (why == ""); changed {
		now := c.cfg.Now()
		s.BusySince = &now
	}
	if s.Busy = why; why == "" {
		s.BusySince = nil
	}
	c.mu.Unlock()
	if changed && why != "" {
		c.cfg.Log.Warn("collector busy, retrying", "reason", why)
	} else if changed {
		c.cfg.Log.Info("collector accepts batches again")
	}
	return changed
}
