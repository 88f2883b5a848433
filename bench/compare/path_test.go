package compare

import (
	"testing"
	"time"

	"sluice/bench/benchtest"
)

// TestPrintPath checks medians, minima and maximum peaks of rounds, and the comparison of sluice
// with durable Flume.
func TestPrintPath(t *testing.T) {
	p := &Path{Lines: 1_000_000, Rounds: 3, Rows: []*PathRow{{Way: "packed", Hosts: 1}, {Way: "packed", Hosts: 100}, {Way: "flume-file", Hosts: 1}}}
	for i, row := range p.Rows {
		var rounds []pathRound
		for _, n := range []time.Duration{2, 1, 3} {
			n *= time.Duration(10*i*i + 1)
			rounds = append(rounds, pathRound{
				wall: 10 * n * time.Second, agents: n * time.Second / 2, collector: n * time.Second, servers: 4 * n * time.Second,
				agentPeak: int64(n) << 20, collectorPeak: int64(n) << 21,
			})
		}
		row.summarize(rounds, int64(p.Lines))
	}
	benchtest.Printed(t, p, "path.golden")
}
