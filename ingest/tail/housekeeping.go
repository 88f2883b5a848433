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

// housekeeper does what no event starts: it tries failed files again, polls and lists, lets quiet
// files go cold, ends finished ones and forgets streams.
type housekeeper struct {
	*env
	streams     *streams
	set         *fileSet
	cooler      *cooler
	descriptors *descriptors
	directories *directories
	strays      *strayFinder
	identifier  *identifier
	searcher    *searcher
	sweeper     *sweeper
	opener      *opener
}

// housekeep does the periodic work that is due.
func (hk *housekeeper) housekeep(ctx context.Context) {
	hk.retry()
	hk.opener.pollCold()
	hk.listDue()
	hk.set.countOrphans()
	for _, f := range slices.Clone(hk.set.hot) {
		if f.fd >= 0 { // otherwise it was closed while another file was handled
			hk.checkQuiet(ctx, f)
		}
	}
	for _, f := range slices.Clone(hk.set.held) {
		if f.state == stateHeld || f.state == stateShelved && len(f.places) > 0 && hk.descriptors.open(f) {
			hk.identifier.meet(f)
		}
	}
	hk.directories.warnOfUnmatched()
	hk.strays.look()
	hk.nextHousekeeping = hk.now.Add(housekeepingInterval)
	if len(hk.set.hot) == 0 && len(hk.set.failing) == 0 && !hk.directories.directoriesFail() {
		hk.nextHousekeeping = hk.now.Add(idleHousekeepingInterval)
		if len(hk.set.polled) > 0 {
			hk.nextHousekeeping = hk.now.Add(min(hk.cooler.pollInterval(), idleHousekeepingInterval))
		}
	}
}

// checkQuiet lets a quiet file go cold, and ends one that is finished.
func (hk *housekeeper) checkQuiet(ctx context.Context, f *file) {
	quiet := hk.now.Sub(f.active)
	switch {
	case len(f.places) == 0:
		hk.closeOrphan(ctx, f)
	case quiet < hk.cooler.quiet() || f.state == stateHeld:
	case f.size > f.read && !f.part: // complete lines, for which no buffer was free
	case f.size > f.read && f.stream != nil && !f.live:
		// It was renamed, has been quiet for long, and its last line has no newline: the line is
		// delivered without.
		if hk.sweeper.finishLine(ctx, f) {
			f.active = hk.now
		}
	default:
		hk.cooler.cool(f)
	}
}

// retry tries failed logs again.
func (hk *housekeeper) retry() {
	for _, f := range slices.Clone(hk.set.failing) {
		if hk.now.Before(f.next) {
			continue
		}
		if len(f.places) == 0 { // removed meanwhile
			hk.sweeper.lostUnread(f)
			hk.set.end(f)
			continue
		}
		if hk.descriptors.open(f) {
			f.active = hk.now
			hk.identifier.meet(f)
		}
	}
}

// listDue lists the directories that are due.
func (hk *housekeeper) listDue() {
	all := !hk.now.Before(hk.directories.nextListing)
	if !all && hk.now.Before(hk.directories.nextDirs) && !hk.relist {
		return
	}
	hk.relist = false
	if all {
		hk.directories.treesFit()
	}
	hk.directories.findDirs()
	for _, d := range slices.Collect(maps.Values(hk.directories.byPath)) {
		hk.directories.checkDirectory(d)
		if all || !d.listed && !hk.now.Before(d.next) || d.links || d.unwatched || len(d.unseen) > 0 || hk.watch.dirs < 0 {
			hk.directories.list(d)
		}
	}
	hk.directories.nextDirs = hk.now.Add(dirsInterval)
	if all {
		hk.directories.nextListing = hk.now.Add(listingInterval)
		hk.watchAgain()
		clear(hk.devices)
		hk.forget()
	}
	hk.searcher.seekMissing()
}

// forget removes streams that will not be needed again: with daily rotations of 800 logs the
// checkpoint would grow by 800 streams a day.
func (hk *housekeeper) forget() {
	hk.cfg.Checkpoint.Forget(func(s *checkpoint.Stream) bool {
		if s.GoneUnix == 0 || hk.now.Sub(time.Unix(s.GoneUnix, 0)) < forgetAfter || slices.Contains(hk.streams.missing, s) || hk.set.fileOf(s) != nil {
			return false
		}
		if s.Stored < hk.streams.positions[s.ID] || s.Stored+s.LostBytes < s.SeenBytes {
			return false // not stored yet, or not counted as lost
		}
		delete(hk.streams.positions, s.ID)
		return true
	})
}

// watchAgain asks the kernel again for watches that it did not provide before. Logs that went cold
// without one are polled until their next write.
func (hk *housekeeper) watchAgain() {
	if hk.watch.again() {
		hk.cfg.Log.Info("inotify watches available again")
	}
}
