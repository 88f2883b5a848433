package collector

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTheArchiveIsSweptAgain checks that sweeps are repeated: files of a collector that was lost
// are old enough to be removed only long after the start.
func TestTheArchiveIsSweptAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		time.Sleep(25 * time.Hour)
		if err := r.collector.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.archive.Sweeps != 3 {
			t.Errorf("%d sweeps in 25 hours, want 3", r.archive.Sweeps)
		}
	})
}
