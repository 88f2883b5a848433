package tail

import (
	"context"
	"maps"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
)

const (
	// housekeeping is how often is seen to what no event tells.
	housekeeping = time.Second
	// idleHousekeeping is the same when no log grows.
	idleHousekeeping = 10 * time.Second
	// dirsInterval is how often wildcards in directories are expanded, and logs
	// that are symbolic links are looked at.
	dirsInterval = 10 * time.Second
	// listingInterval is how often every directory is listed, should an event have
	// been missed for a reason nobody thought of.
	listingInterval = 5 * time.Minute
	// statusInterval is how often sizes are written down and lags are reckoned.
	statusInterval = 5 * time.Second
	// forgetAfter is how long a stream is kept when its log and all copies of it
	// are gone and everything is stored. A copy that turns up later, from a backup
	// say, is a log of its own.
	forgetAfter = 7 * 24 * time.Hour
)

// housekeep does what time asks for.
func (t *Tailer) housekeep(ctx context.Context) {
	t.retry()
	t.pollCold()
	t.seeToDirectories()
	t.set.countOrphans()
	for _, f := range slices.Clone(t.set.hot) {
		if f.fd >= 0 { // else closed by what happened to another one
			t.seeTo(ctx, f)
		}
	}
	for _, f := range slices.Clone(t.set.held) {
		if f.state == stateHeld || f.state == stateShelved && len(f.places) > 0 && t.set.open(f) {
			t.identifier.meet(f)
		}
	}
	t.discovery.warnOfUnmatched()
	t.discovery.lookForStrays()
	t.nextHousekeeping = t.now.Add(housekeeping)
	if len(t.set.hot) == 0 && len(t.set.failing) == 0 && !t.discovery.directoriesFail() {
		t.nextHousekeeping = t.now.Add(idleHousekeeping)
		if len(t.set.polled) > 0 {
			t.nextHousekeeping = t.now.Add(min(t.set.pollInterval(), idleHousekeeping))
		}
	}
}

// seeTo lets a quiet file go cold, and ends one that is finished.
func (t *Tailer) seeTo(ctx context.Context, f *file) {
	quiet := t.now.Sub(f.active)
	switch {
	case len(f.places) == 0:
		t.seeToOrphan(ctx, f)
	case quiet < t.set.quiet() || f.state == stateHeld:
	case f.size > f.read && !f.part: // whole lines, which nobody has had room for
	case f.size > f.read && f.stream != nil && !f.live:
		// Renamed, quiet for long, and its last line without a newline: it is
		// taken as it is.
		if t.sweeper.finishLine(ctx, f) {
			f.active = t.now
		}
	default:
		t.set.cool(f)
	}
}

// retry tries the logs again that failed.
func (t *Tailer) retry() {
	for _, f := range slices.Clone(t.set.failing) {
		if t.now.Before(f.next) {
			continue
		}
		if len(f.places) == 0 { // removed meanwhile
			t.sweeper.lostUnread(f)
			t.set.end(f)
			continue
		}
		if t.set.open(f) {
			f.active = t.now
			t.identifier.meet(f)
		}
	}
}

// seeToDirectories lists what has to be listed.
func (t *Tailer) seeToDirectories() {
	all := !t.now.Before(t.discovery.nextListing)
	if !all && t.now.Before(t.discovery.nextDirs) && !t.relist {
		return
	}
	t.relist = false
	if all {
		t.discovery.treesFit()
	}
	t.discovery.findDirs()
	for _, d := range slices.Collect(maps.Values(t.discovery.dirs)) {
		t.discovery.checkDirectory(d)
		if all || !d.listed && !t.now.Before(d.next) || d.links || d.unwatched || len(d.unseen) > 0 || t.watch.dirs < 0 {
			t.discovery.list(d)
		}
	}
	t.discovery.nextDirs = t.now.Add(dirsInterval)
	if all {
		t.discovery.nextListing = t.now.Add(listingInterval)
		t.watchAgain()
		clear(t.devices)
		t.forget()
	}
	t.searcher.seekMissing()
}

// forget drops what nobody will ask for: with daily rotations of 800 logs the
// checkpoint would grow by 800 streams a day.
func (t *Tailer) forget() {
	t.cfg.Checkpoint.Forget(func(s *checkpoint.Stream) bool {
		if s.GoneUnix == 0 || t.now.Sub(time.Unix(s.GoneUnix, 0)) < forgetAfter || slices.Contains(t.streams.missing, s) || t.set.fileOf(s) != nil {
			return false
		}
		if s.Stored < t.streams.positions[s.ID] || s.Stored+s.LostBytes < s.SeenBytes {
			return false // not stored yet, or not counted as lost
		}
		delete(t.streams.positions, s.ID)
		return true
	})
}

// watchAgain asks the kernel again for watches that it did not give at the start.
// Logs that went cold without one are polled until they are next written.
func (t *Tailer) watchAgain() {
	if t.watch.again() {
		t.cfg.Log.Info("inotify watches available again")
	}
}
