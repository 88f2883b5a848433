package tail

import (
	"context"
	"maps"
	"slices"
	"time"

	"sluice/ingest/checkpoint"
)

const (
	// housekeepingInterval is the time between checks for changes that inotify does not report.
	housekeepingInterval = time.Second
	// idleHousekeepingInterval is the same when no log grows.
	idleHousekeepingInterval = 10 * time.Second
	// dirsInterval is how often wildcards in directories are expanded, and logs that are symbolic
	// links are checked.
	dirsInterval = 10 * time.Second
	// listingInterval is how often every directory is listed, in case an event was missed for an
	// unknown reason.
	listingInterval = 5 * time.Minute
	// statusInterval is how often sizes are recorded and margins estimated.
	statusInterval = 5 * time.Second
	// forgetAfter is how long a stream is kept after its log and all copies of it are gone and
	// everything is stored. A copy that appears later, for example from a backup, is a log of its
	// own.
	forgetAfter = 7 * 24 * time.Hour
)

// housekeep does the periodic work that is due.
func (t *Tailer) housekeep(ctx context.Context) {
	t.retry()
	t.pollCold()
	t.listDue()
	t.set.countOrphans()
	for _, f := range slices.Clone(t.set.hot) {
		if f.fd >= 0 { // otherwise it was closed while another file was handled
			t.checkQuiet(ctx, f)
		}
	}
	for _, f := range slices.Clone(t.set.held) {
		if f.state == stateHeld || f.state == stateShelved && len(f.places) > 0 && t.set.open(f) {
			t.identifier.meet(f)
		}
	}
	t.discovery.warnOfUnmatched()
	t.discovery.lookForStrays()
	t.nextHousekeeping = t.now.Add(housekeepingInterval)
	if len(t.set.hot) == 0 && len(t.set.failing) == 0 && !t.discovery.directoriesFail() {
		t.nextHousekeeping = t.now.Add(idleHousekeepingInterval)
		if len(t.set.polled) > 0 {
			t.nextHousekeeping = t.now.Add(min(t.set.pollInterval(), idleHousekeepingInterval))
		}
	}
}

// checkQuiet lets a quiet file go cold, and ends one that is finished.
func (t *Tailer) checkQuiet(ctx context.Context, f *file) {
	quiet := t.now.Sub(f.active)
	switch {
	case len(f.places) == 0:
		t.closeOrphan(ctx, f)
	case quiet < t.set.quiet() || f.state == stateHeld:
	case f.size > f.read && !f.part: // complete lines, for which no buffer was free
	case f.size > f.read && f.stream != nil && !f.live:
		// It was renamed, has been quiet for long, and its last line has no newline: the line is
		// delivered without.
		if t.sweeper.finishLine(ctx, f) {
			f.active = t.now
		}
	default:
		t.set.cool(f)
	}
}

// retry tries failed logs again.
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

// listDue lists the directories that are due.
func (t *Tailer) listDue() {
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

// forget removes streams that will not be needed again: with daily rotations of 800 logs the
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

// watchAgain asks the kernel again for watches that it did not provide before. Logs that went cold
// without one are polled until their next write.
func (t *Tailer) watchAgain() {
	if t.watch.again() {
		t.cfg.Log.Info("inotify watches available again")
	}
}
