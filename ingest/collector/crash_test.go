package collector

import (
	"flag"
	"math/rand/v2"
	"testing"

	"sluice/ingest/collector/collectortest"
	"sluice/test/replay"
)

var replayFile = flag.String("replay", "", "run the script in this file instead of random ones")

// TestEveryLineIsStoredOnceWhereverPowerFails simulates a power failure at every operation on the
// disk and in the archive, after which another collector continues.
func TestEveryLineIsStoredOnceWhereverPowerFails(t *testing.T) {
	for _, c := range []struct {
		sinks string
		seeds uint64
	}{{"rows", 1}, {"columns", 1}, {"rows columns", 2}} {
		t.Run(c.sinks, func(t *testing.T) {
			t.Parallel()
			stride := 1
			if testing.Short() {
				c.seeds = 1
			}
			if raceDetector { // all operations are tested without it: make plain
				c.seeds, stride = 1, 7
			}
			var m *machine
			crashes(&m).Each(t, *replayFile, func(yield func(replay.Script) bool) {
				for seed := range c.seeds {
					for n, more := 0, true; more; n += stride {
						if !yield(powerFailsAt(c.sinks, seed, n)) {
							return
						}
						more = m.failed
					}
				}
			})
		})
	}
}

// powerFailsAt returns a script in which a collector reads a log of 120 lines and power fails at
// operation n.
func powerFailsAt(sinks string, seed uint64, n int) replay.Script {
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	s := replay.Script{replay.NewOp("store", sinks), replay.NewOp("log", 120), replay.NewOp("fail-from", n), replay.NewOp("start")}
	for bytes := 0; bytes < len(collectortest.Log(120)); {
		size := 1 + random.IntN(900)
		s = append(s, replay.NewOp("append", "0", size))
		bytes += size
	}
	return append(s, replay.NewOp("close"), replay.NewOp("crash", random.IntN(1000)))
}
