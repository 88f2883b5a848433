package agent

import (
	"context"
	"maps"
	"slices"
	"sync"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// claims has the positions up to which each collector reported to have received streams that could
// not be compared, because no log has their bytes any more. They move no position from which a log
// is read; they decide which bytes of a log that is gone are lost. Only the last report of a
// collector counts, because it may have lost what it had. The methods may be called concurrently.
type claims struct {
	mu       sync.Mutex
	received map[schema.StreamID]map[string]int64 // by address of the collector
}

func newClaims() *claims { return &claims{received: map[schema.StreamID]map[string]int64{}} }

// note records what a collector has of a stream. 0: nothing beyond what is stored.
func (c *claims) note(id schema.StreamID, collector string, received int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if received > 0 {
		if c.received[id] == nil {
			c.received[id] = map[string]int64{}
		}
		c.received[id][collector] = received
		return
	}
	delete(c.received[id], collector)
	if len(c.received[id]) == 0 {
		delete(c.received, id)
	}
}

// of returns the position up to which some collector has a stream.
func (c *claims) of(id schema.StreamID) (received int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.received[id] {
		received = max(received, at)
	}
	return received
}

// keep removes the claims of streams that known reports false for.
func (c *claims) keep(known func(schema.StreamID) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.received, func(id schema.StreamID, _ map[string]int64) bool { return !known(id) })
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
	}
	for i := range losses {
		s.reporter.correctLosses(losses[i].Stream)
	}
	return nil
}

// correctLosses removes from the losses of a stream what a collector has of it.
func (r *reporter) correctLosses(id schema.StreamID) {
	received := r.claims.of(id)
	bytes, files := r.cfg.Checkpoint.Losses.Correct(id, received)
	if bytes == 0 && files == 0 {
		return
	}
	if t := r.cfg.Checkpoint.Stream(id); t != nil {
		r.cfg.Checkpoint.Update(func() { t.LostBytes = max(0, t.LostBytes-bytes) })
	}
	if tailer := r.reader.current(); tailer != nil {
		tailer.Counters().Correct(bytes, files)
	}
	r.saver.changed()
	r.cfg.Log.Info("losses corrected, the collector has these lines", "stream", id, "offset", received, "bytes", bytes)
}
