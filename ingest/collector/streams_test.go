package collector

import (
	"testing"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/schema"
)

// A sender may name a stream again right after it was forgotten for another one.
func TestTheStoredPositionOfAStreamThatIsDeclaredAgainIsSaved(t *testing.T) {
	r := newRig(t, func(c *Config) { c.RollBytes = 1 })
	log := numbered(20)
	put := func(from, to int, claimed int64) *checkpoint.Stream {
		t.Helper()
		s, err := r.cp.Declared.Declare(schema.StreamEntry{Stream: schema.Stream{ID: 7, Host: "web01", Path: "/a.log", Format: "common"}}, true, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.collector.Position(s, claimed); got != (Position{claimed, claimed}) {
			t.Errorf("positions %+v, want %d for a stream that is stored up to there", got, claimed)
		}
		if err := r.collector.Receive(t.Context(), s, batch(s, log, from, to), claimed, claimed); err != nil {
			t.Fatal(err)
		}
		if err := r.collector.drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := put(0, 100, 0); s.Stored != 100 {
		t.Errorf("stored %d", s.Stored)
	}
	r.cp.Forget(func(*checkpoint.Stream) bool { return true })
	if s := put(100, 200, 100); r.cp.Stream(7) != s || s.Stored != 200 {
		t.Errorf("stored %d after it was declared again, want 200", s.Stored)
	}
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.holds(t, "all lines", log)
}
