package agent

import (
	"slices"
	"testing"
	"time"
)

// step of a route: what happens, and where the host connects then.
type step struct {
	after     time.Duration // since the step before
	connected bool          // a connection that had answered ended; otherwise none could be made
	back      bool          // the first choice is available again
	present   int           // in the order of preference
	maxPause  time.Duration // 0: tried at once
}

func TestARouteMovesAfterFailoverAfterAndReturns(t *testing.T) {
	for _, test := range []struct {
		name          string
		collectors    []string
		failoverAfter time.Duration
		steps         []step
	}{
		{"a restart is waited for", []string{"a", "b", "c"}, 30 * time.Second, []step{
			{connected: true, maxPause: time.Second},
			{after: 29 * time.Second, maxPause: time.Second},
		}},
		{"the next is tried at once, and the one after it", []string{"a", "b", "c"}, 30 * time.Second, []step{
			{connected: true, maxPause: time.Second},
			{after: 30 * time.Second, present: 1},
			{after: 30 * time.Second, present: 2},
			{after: 30 * time.Second, present: 0},
		}},
		{"an answer begins the time anew", []string{"a", "b"}, 30 * time.Second, []step{
			{after: 20 * time.Second, maxPause: time.Second},
			{after: 20 * time.Second, connected: true, maxPause: time.Second},
			{after: 20 * time.Second, maxPause: time.Second},
		}},
		{"it returns", []string{"a", "b"}, 30 * time.Second, []step{
			{after: 30 * time.Second, present: 1},
			{after: time.Hour, back: true},
			{after: time.Second, maxPause: time.Second},
		}},
		{"without failover", []string{"a", "b"}, 0, []step{
			{after: time.Hour, maxPause: time.Second},
			{after: time.Hour, maxPause: 2 * time.Second},
		}},
		{"one collector", []string{"a"}, 30 * time.Second, []step{
			{after: time.Hour, maxPause: time.Second},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			r := NewRoute("web01", test.collectors, test.failoverAfter, now)
			order := Preference("web01", test.collectors)
			for i, s := range test.steps {
				now = now.Add(s.after)
				var pause time.Duration
				if s.back {
					r.Return(order[0], now)
				} else {
					var moved bool
					if pause, moved = r.Failed(now, s.connected); moved != (s.maxPause == 0) {
						t.Errorf("step %d: moved is %v", i, moved)
					}
				}
				if r.Present() != order[s.present] || !slices.Equal(r.Preferred(), order[:s.present]) {
					t.Errorf("step %d: it is at %s, prefers %v; want %s", i, r.Present(), r.Preferred(), order[s.present])
				}
				if pause > s.maxPause {
					t.Errorf("step %d: it waits %v, more than %v", i, pause, s.maxPause)
				}
			}
		})
	}
}
