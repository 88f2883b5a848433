package agent

import (
	"context"
	"maps"
	"slices"
	"sync"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// claims has the positions up to which a collector, that of a session or the present one, reported
// to have received streams that could not be compared, because no log has their bytes any more. They
// move no position from which a log is read; they decide which bytes of a log that is gone are lost.
// The claims of a collector count while it is unreachable, until another one has answered: the agent
// cannot know whether the first one still has its data. Lines that only the first one has count as
// lost from then on, until it returns. The methods may be called concurrently.
type claims struct {
	mu       sync.Mutex
	received map[schema.StreamID]int64
	// owed: a claim of a gone log was lowered, and the logs were not read again since.
	owed bool
}

func newClaims() *claims { return &claims{received: map[schema.StreamID]int64{}} }

// note records up to where a collector has a stream. 0: nothing beyond what is stored.
func (c *claims) note(id schema.StreamID, received int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.received[id] = received; received <= 0 {
		delete(c.received, id)
	}
}

// all returns a copy of the claims.
func (c *claims) all() map[schema.StreamID]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.received)
}

// replace replaces all claims by those of a session's collector, which has answered. It returns the
// claims that were greater before. They are copied with the lock held, because two hellos of a
// session may end at the same time.
func (c *claims) replace(session *claims) (lowered map[schema.StreamID]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	received := session.all()
	lowered = map[schema.StreamID]int64{}
	for id, before := range c.received {
		if received[id] < before {
			lowered[id] = before
		}
	}
	c.received = received
	return lowered
}

// of returns the position up to which the collector has a stream.
func (c *claims) of(id schema.StreamID) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received[id]
}

// publishClaims replaces the claims by those of this session's collector. If the collector has less
// than was reported before of a log that is gone, the logs must be read again, because its loss is
// recorded only when it is not found.
func (s *session) publishClaims() {
	for id, before := range s.claims.replace(s.claimed) {
		if t := s.cfg.Checkpoint.Stream(id); t != nil {
			less := false
			s.cfg.Checkpoint.Update(func() { less = t.GoneUnix != 0 && t.Stored < before })
			if less {
				s.claims.owe(true)
			}
		}
	}
}

// owe sets whether the logs must be read again.
func (c *claims) owe(owed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owed = owed
}

// readsAgain reports whether the logs must be read again now. It waits while the window has lines of
// logs that are gone: nothing else has these.
func (c *claims) readsAgain(w *window, file *checkpoint.File) bool {
	c.mu.Lock()
	owed := c.owed
	c.mu.Unlock()
	if !owed {
		return false
	}
	for _, t := range w.streams(func(*checkpoint.Stream) bool { return false }) {
		gone := false
		file.Update(func() { gone = t.GoneUnix != 0 })
		if gone {
			return false
		}
	}
	return true
}

// settleLosses asks the collector what it has of the streams with losses, each once in a session,
// and corrects the losses: when they were recorded, the collector may have been unreachable.
func (s *session) settleLosses(ctx context.Context) error {
	losses := s.cfg.Checkpoint.Losses.All()
	var streams []*checkpoint.Stream
	for i := range losses {
		t := s.cfg.Checkpoint.Stream(losses[i].Stream)
		if t != nil && s.named(t.ID) == nil && !slices.Contains(streams, t) {
			streams = append(streams, t)
		}
	}
	if len(streams) > 0 {
		if _, err := s.hello(ctx, streams); err != nil {
			return err
		}
		s.publishClaims()
	}
	for i := range losses {
		s.reporter.correctLosses(losses[i].Stream)
	}
	return nil
}

// correctLosses removes from the losses of a stream what the present collector has of it, and what is
// stored: the collector may have stored it since it was asked, and then reports no claim.
func (r *reporter) correctLosses(id schema.StreamID) {
	received, t := r.claims.of(id), r.cfg.Checkpoint.Stream(id)
	if t != nil {
		received = max(received, r.cfg.Checkpoint.Stored(t))
	}
	bytes, files := r.cfg.Checkpoint.Losses.Correct(id, received, func(bytes int64) {
		if t != nil {
			t.LostBytes = max(0, t.LostBytes-bytes)
		}
	})
	if bytes == 0 && files == 0 {
		return
	}
	if tailer := r.reader.current(); tailer != nil {
		tailer.Counters().Correct(bytes, files)
	}
	r.saver.changed()
	r.cfg.Log.Info("losses corrected, the collector has these lines", "stream", id, "offset", received, "bytes", bytes)
}
