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
	t.countOrphans()
	for _, f := range slices.Clone(t.hot) {
		if f.fd >= 0 { // else closed by what happened to another one
			t.seeTo(ctx, f)
		}
	}
	for _, f := range slices.Clone(t.held) {
		if f.fd >= 0 || len(f.places) > 0 && f.err == nil && t.open(f) {
			t.meet(f)
		}
	}
	t.warnOfUnmatched()
	t.nextHousekeeping = t.now.Add(housekeeping)
	if len(t.hot) == 0 && len(t.failing) == 0 && !t.directoriesFail() {
		t.nextHousekeeping = t.now.Add(idleHousekeeping)
		if len(t.polled) > 0 {
			t.nextHousekeeping = t.now.Add(min(t.pollInterval(), idleHousekeeping))
		}
	}
}

func (t *Tailer) directoriesFail() bool {
	for _, d := range t.dirs {
		if d.err != nil {
			return true
		}
	}
	return false
}

// seeTo lets a quiet file go cold, and ends one that is finished.
func (t *Tailer) seeTo(ctx context.Context, f *file) {
	quiet := t.now.Sub(f.active)
	switch {
	case len(f.places) == 0:
		t.seeToOrphan(ctx, f)
	case quiet < t.quiet() || slices.Contains(t.held, f):
	case f.size > f.read && !f.part: // whole lines, which nobody has had room for
	case f.size > f.read && f.stream != nil && !f.live:
		// Renamed, quiet for long, and its last line without a newline: it is
		// taken as it is.
		if t.finishLine(ctx, f) {
			f.active = t.now
		}
	default:
		t.cool(f)
	}
}

// retry tries the logs again that failed.
func (t *Tailer) retry() {
	for _, f := range slices.Clone(t.failing) {
		if t.now.Before(f.next) {
			continue
		}
		if len(f.places) == 0 { // removed meanwhile
			t.lostUnread(f)
			t.gone(f)
			continue
		}
		if t.open(f) {
			f.active = t.now
			t.meet(f)
		}
	}
}

// lostUnread counts what is known to be unread of a log that is gone.
func (t *Tailer) lostUnread(f *file) {
	switch {
	case f.stream != nil && t.continueInCopy(f):
	case f.stream != nil:
		t.lost(f, f.unread())
	case f.size > 0:
		t.addLoss(checkpoint.Loss{Path: f.last, Bytes: f.size})
		t.cfg.Log.Error("log deleted before it could be read, lines lost", "path", f.last, "bytes", f.size, "err", f.err)
	}
}

// seeToDirectories lists what has to be listed.
func (t *Tailer) seeToDirectories() {
	all := !t.now.Before(t.nextListing)
	if !all && t.now.Before(t.nextDirs) && !t.relist {
		return
	}
	t.relist = false
	if all {
		t.treesFit()
	}
	t.findDirs()
	for _, d := range slices.Collect(maps.Values(t.dirs)) {
		t.checkDirectory(d)
		if all || !d.listed && !t.now.Before(d.next) || d.links || d.unwatched || len(d.unseen) > 0 || t.watch.dirs < 0 {
			t.list(d)
		}
	}
	t.nextDirs = t.now.Add(dirsInterval)
	if all {
		t.nextListing = t.now.Add(listingInterval)
		t.watchAgain()
		clear(t.devices)
		t.forget()
	}
	t.seekMissing()
}

// forget drops what nobody will ask for: with daily rotations of 800 logs the
// checkpoint would grow by 800 streams a day.
func (t *Tailer) forget() {
	t.cfg.Checkpoint.Forget(func(s *checkpoint.Stream) bool {
		if s.GoneUnix == 0 || t.now.Sub(time.Unix(s.GoneUnix, 0)) < forgetAfter || slices.Contains(t.missing, s) || t.fileOf(s) != nil {
			return false
		}
		if s.Stored < t.positions[s.ID] || s.Stored+s.LostBytes < s.SeenBytes {
			return false // not stored yet, or not counted as lost
		}
		delete(t.positions, s.ID)
		return true
	})
}

// noteSizes writes down in the checkpoint how long the logs are: what is beyond
// stored when they are gone is lost.
func (t *Tailer) noteSizes() {
	t.cfg.Checkpoint.Update(func() {
		for _, f := range t.hot {
			if f.stream != nil {
				f.stream.SeenBytes = max(f.stream.SeenBytes, f.size)
				f.stream.GrownUnix = max(f.stream.GrownUnix, f.active.Unix())
			}
		}
	})
}

// watchAgain asks the kernel again for watches that it did not give at the start.
// Logs that went cold without one are polled until they are next written.
func (t *Tailer) watchAgain() {
	if t.watch.again() {
		t.cfg.Log.Info("inotify watches available again")
	}
}
