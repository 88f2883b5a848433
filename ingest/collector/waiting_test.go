package collector

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"sluice/ingest/collector/collectortest"
)

// TestWaitingLinesHaveAnAge checks the ages, by host, of lines that are not in the table and of
// lines that are not stored.
func TestWaitingLinesHaveAnAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.SpoolAhead, c.RollBytes = true, 1<<20 })
		send := func(host string, inode uint64) {
			log := collectortest.Log(50)
			if err := r.send(t.Context(), r.stream(t, host, log, inode), log, rand.New(rand.NewPCG(1, 1))); err != nil {
				t.Fatal(err)
			}
		}
		want := func(what string, waiting map[string]Waiting) {
			t.Helper()
			got := r.collector.State().Waiting
			for host, w := range waiting {
				if got[host] != w {
					t.Errorf("%s: of %s waits %+v, want %+v", what, host, got[host], w)
				}
			}
			if len(got) != len(waiting) {
				t.Errorf("%s: %+v", what, got)
			}
		}
		want("nothing came", nil)
		send("web01", 1)
		synctest.Wait()
		time.Sleep(time.Minute)
		send("web02", 2)
		synctest.Wait()
		time.Sleep(time.Minute)
		want("in the table, in an open segment", map[string]Waiting{"web01": {0, 120}, "web02": {0, 60}})
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want("stored", nil)

		r = newRig(t, func(c *Config) { c.SpoolAhead, c.RollBytes = true, 1<<20 })
		release := make(chan struct{})
		r.table.BeforePut = func() { <-release } // the table hangs
		send("web01", 1)
		time.Sleep(time.Minute)
		send("web01", 2)
		want("the table hangs", map[string]Waiting{"web01": {60, 60}})
		close(release)
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
