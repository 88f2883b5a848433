package agent

import (
	"testing"

	"sluice/schema"
)

// What is kept of streams does not grow with the number of logs that there were: each rotation ends
// one.
func TestTheStateOfForgottenStreamsIsNotKept(t *testing.T) {
	n, _, _ := agentOf(t, nil)
	defer n.close()
	s := n.stream(t)
	n.put(t, s, 0, 10)
	w := n.window
	known := func(id schema.StreamID) bool { return n.file.Stream(id) != nil }
	for id := range schema.StreamID(10 * keepAtLeast) {
		w.mu.Lock()
		w.read[id+1] = 10
		w.mu.Unlock()
		n.reader.beginAt(id+1, 10)
		w.keep(known)
		if spans := w.spans(); len(spans) > 2*keepAtLeast || spans[s.ID] != (span{0, 10}) {
			t.Fatalf("%d spans, %+v", len(spans), spans[s.ID])
		}
	}
	if err := n.reader.restart(t.Context(), map[schema.StreamID]int64{s.ID: 10}); err != nil {
		t.Fatal(err)
	}
	if len(n.reader.begin) != 1 || n.reader.position(s) != 10 {
		t.Errorf("%d positions, %d", len(n.reader.begin), n.reader.position(s))
	}
}
