package collector

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/checkpoint"
	"sluice/ingest/collector/collectortest"
	"sluice/ingest/segment"
)

// TestWhatTheSpoolKeepsIsStoredOnce checks that a segment that KeepLocal keeps is not stored again
// after restarts, nor when its log is forgotten meanwhile, and that it is removed when it is old
// enough.
func TestWhatTheSpoolKeepsIsStoredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.KeepLocal = 30 * 24 * time.Hour })
		log := collectortest.Log(50)
		s := r.stream(t, "web01", log, 1)
		if err := r.send(t.Context(), s, log, rand.New(rand.NewPCG(1, 1))); err != nil {
			t.Fatal(err)
		}
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		kept := func() (n int) {
			for _, name := range r.fs.Names() {
				if strings.HasSuffix(name, segment.StoredSuffix) {
					n++
				} else if name != "/data/checkpoint" {
					t.Errorf("%s is left", name)
				}
			}
			return n
		}
		if kept() == 0 {
			t.Fatal("nothing is kept")
		}
		for name := range r.archive.Files {
			r.archive.Files[name] = nil // as if a repair had written it again
		}
		r.restart(t)
		r.cp.Forget(func(*checkpoint.Stream) bool { return true })
		if err := r.cp.Save(); err != nil {
			t.Fatal(err)
		}
		r.restart(t)
		synctest.Wait()
		if state := r.collector.State(); len(state.Retries) > 0 || len(state.Waiting) > 0 || state.Segments != kept() {
			t.Errorf("%+v, kept are %d", state, kept())
		}
		time.Sleep(31 * 24 * time.Hour)
		if err := r.collector.Tick(time.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := kept(); n > 0 || r.collector.State().SpoolBytes != 0 {
			t.Errorf("%d segments are kept after 31 days", n)
		}
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
