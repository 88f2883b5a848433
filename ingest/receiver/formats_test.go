package receiver

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/ingest/protocol"
	"sluice/schema"
)

func patterned(id schema.StreamID, pattern string) protocol.Stream {
	s := named(id, 0)
	s.Format = pattern
	return s
}

// A pattern that may be slow is rejected unless it is allowed. No line of its log is accepted, so
// none is lost, and the host's problem says what to do.
func TestASlowPatternIsRejectedUnlessAllowed(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	w := dial(t, c.address)
	for id, pattern := range map[schema.StreamID]string{
		1: `pattern:^(?P<client>(a+)+)(?=x)$`,
		2: `pattern:^(?P<client>a?a?){900}$`,
	} {
		w.hello("evil", patterned(id, pattern))
		if r := w.append(id, 0, lines(0, 10)); r.Status != protocol.Refused || !strings.Contains(r.Reason, "--allow-backtracking") || r.Received != 0 {
			t.Errorf("%s: %+v", pattern, r)
		}
	}
	if why := c.known("evil").fault("stream"); !strings.Contains(why, "--allow-backtracking") {
		t.Errorf("the problem does not name the host: %q", why)
	}
	w.hello("evil", patterned(3, `pattern:^(?P<client>(a+)+)$`)) // RE2 does not need backtracking for it
	if r := w.append(3, 0, lines(0, 10)); r.Status != protocol.OK {
		t.Errorf("a linear pattern: %+v", r)
	}
	allowed := collect(t, filepath.Join(t.TempDir(), "c2"), "127.0.0.1:0", 0, func(cfg *Config) { cfg.AllowBacktracking = true })
	defer allowed.end(t, false)
	w = dial(t, allowed.address)
	w.hello("evil", patterned(1, `pattern:^(?P<client>(a+)+)(?=x)$`))
	if r := w.append(1, 0, lines(0, 10)); r.Status != protocol.OK {
		t.Errorf("allowed: %+v", r)
	}
}

// If all of a host's turns are used, batches of other hosts are still decoded, and its own wait
// until their connection ends.
func TestAHostHoldsNoMoreThanItsTurns(t *testing.T) {
	c := collect(t, filepath.Join(t.TempDir(), "c1"), "127.0.0.1:0", 0)
	defer c.end(t, false)
	evil, honest := dial(t, c.address), dial(t, c.address)
	evil.hello("evil", named(1, 0))
	honest.hello("web01", named(1, 0))
	c.receiver.mu.Lock()
	turns := c.receiver.hosts["evil"].turns
	c.receiver.mu.Unlock()
	for range cap(turns) {
		turns <- struct{}{}
	}
	if r := honest.append(1, 0, lines(0, 10)); r.Status != protocol.OK {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s := &session{Receiver: c.receiver, turns: turns}
	if err := s.turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more turn: %v", err)
	}
	for range cap(turns) {
		<-turns
	}
}
