package tail

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Streams that are gone and stored are forgotten, not before a week, and never one that is not
// stored.
func TestDeletedAndStoredStreamsAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.append("access.log", lines("a", 3))
	w.append("other.log", lines("b", 3))
	w.turns(3)
	w.save()
	w.remove("access.log")
	w.turns(1)
	w.turn(orphanQuiet) // then it counts as finished
	w.turn(idleHousekeepingInterval)
	count := func() int { return len(w.checkpoint.Streams()) }
	if count() != 2 {
		t.Fatalf("%d streams, want 2", count())
	}
	w.turn(forgetAfter - time.Hour)
	if w.turns(2); count() != 2 {
		t.Errorf("%d streams before a week is over, want 2", count())
	}
	gone := w.checkpoint.Streams()
	w.checkpoint.Update(func() { gone[0].SeenBytes++ }) // a byte that was neither stored nor counted as lost
	w.turn(2 * time.Hour)
	if w.turns(2); count() != 2 {
		t.Errorf("%d streams, of which one is not stored: want 2", count())
	}
	w.checkpoint.Update(func() { gone[0].LostBytes++ })
	w.turn(listingInterval)
	if w.turns(2); count() != 1 {
		t.Errorf("%d streams after more than a week, want 1", count())
	}
	w.append("other.log", lines("c", 2))
	w.turns(3)
	w.want(lines("a", 3), lines("b", 3)+lines("c", 2))
	w.stop()
}

// If the limit of watches is used up, logs are found by listing.
func TestWithoutAWatchLogsAreFoundByListing(t *testing.T) {
	w := newWorld(t)
	w.append("access.log", lines("a", 3))
	w.start()
	w.tailer.watch.add = func(int, string, uint32) (int, error) { return -1, unix.ENOSPC }
	w.turns(3)
	w.rename("access.log", "access.log.1")
	w.append("access.log", lines("b", 3))
	w.turn(dirsInterval)
	w.turns(3)
	w.want(lines("a", 3), lines("b", 3))
	if s := w.tailer.Status(); len(s.Failing) != 0 {
		t.Errorf("%+v fails", s.Failing)
	}
	w.stop()
}

// If the machine gets a new name, no log is stored again: that is reported, and new lines are read.
func TestANewHostNameStoresNoLogAgain(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.append("access.log", lines("a", 3))
	w.turns(3)
	w.stop()
	w.host = "web02"
	w.start()
	w.append("access.log", lines("b", 1))
	w.append("other.log", lines("c", 2))
	w.turns(3)
	w.want(lines("a", 3), lines("c", 2))
	failing := w.tailer.Status().Failing
	if len(failing) != 1 || !strings.Contains(failing[0].Error, "use --host web01") {
		t.Errorf("failing: %+v", failing)
	}
	w.stop()
	w.host = "web01"
	w.start()
	w.turns(3)
	w.want(lines("a", 3)+lines("b", 1), lines("c", 2))
	w.stop()
}
