package collector

import (
	"fmt"
	"strings"
	"testing"
)

// TestLinesWaitInTheSpoolUntilTheTableIsAvailable checks that lines of two processes wait until the
// table is ready, and that each then has its row.
func TestLinesWaitInTheSpoolUntilTheTableIsAvailable(t *testing.T) {
	ready := make(chan struct{})
	r := newRig(t, func(c *Config) { c.TableReady, c.SpoolAhead, c.Columns = ready, true, nil })
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET /%d HTTP/1.1\" 200 7\n", i)
	}
	log := b.String()
	s := r.stream(t, "web01", log, 2)
	half := strings.Index(log, "/50 ") // the middle of a line
	half = strings.LastIndexByte(log[:half], '\n') + 1
	if err := r.collector.Append(t.Context(), s, batch(s, log, 0, half)); err != nil {
		t.Fatal(err)
	}
	r.restart(t)
	s = r.cp.Stream(s.ID)
	if err := r.collector.Append(t.Context(), s, batch(s, log, half, len(log))); err != nil {
		t.Fatal(err)
	}
	if n := r.table.Rows(); n != 0 {
		t.Fatalf("%d rows before the table is there", n)
	}
	if state := r.collector.State(); state.UntabledBytes != int64(len(log)) {
		t.Errorf("%d bytes wait for the table, want %d", state.UntabledBytes, len(log))
	}
	close(ready)
	if err := r.collector.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.table.Rows(); n < 100 || r.cp.Stored(r.cp.Stream(s.ID)) != int64(len(log)) {
		t.Errorf("%d rows", n)
	}
}
