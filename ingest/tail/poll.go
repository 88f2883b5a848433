package tail

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// inotify reports what this kernel writes through this mount. What another machine
// writes to a file server, or somebody writes underneath a FUSE or overlay mount, is
// not reported; so cold logs on any file system that is not known to be local are
// polled by stat as well as watched. On a local one, sizes are compared with the
// five-minute listing.

const (
	// minPoll and maxPoll bound the time between two polls of the same log; between
	// them it is pollCost for each log.
	minPoll  = 2 * time.Second
	maxPoll  = 15 * time.Second
	pollCost = time.Millisecond
)

// localMagics are the file systems whose every write inotify reports.
var localMagics = map[int64]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true, unix.RAMFS_MAGIC: true,
	unix.F2FS_SUPER_MAGIC: true, unix.REISERFS_SUPER_MAGIC: true, 0x3153464a: true /* JFS */, 0x2fc12fc1: true /* ZFS */, 0xca451a4e: true, /* bcachefs */
}

// isLocal reports whether inotify reports every write to an open file.
func isLocal(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && localMagics[st.Type]
}

// local is isLocal, asked once a device between two listings: a device number may be
// another mount's later.
func (t *Tailer) local(f *file) bool {
	local, known := t.devices[f.id.Device]
	if !known {
		local = t.cfg.local(f.fd)
		t.devices[f.id.Device] = local
	}
	return local
}

// closePolled closes a log and has it compared by stat from now on.
func (t *Tailer) closePolled(f *file, st *unix.Stat_t) {
	f.modified = st.Mtim
	t.polled[f] = true
	t.closeFile(f)
}

// pollInterval is the time between two polls of every polled log.
func (t *Tailer) pollInterval() time.Duration {
	return min(max(time.Duration(len(t.polled))*pollCost, minPoll), maxPoll)
}

// pollCold opens the polled logs that changed.
func (t *Tailer) pollCold() {
	if len(t.polled) == 0 || t.now.Sub(t.lastPoll) < t.pollInterval() {
		return
	}
	t.lastPoll = t.now
	for f := range t.polled {
		t.compare(f)
	}
}

// compare looks at a polled log.
func (t *Tailer) compare(f *file) {
	if f.fd >= 0 {
		delete(t.polled, f)
		return
	}
	if len(f.places) == 0 {
		if f.wd < 0 { // removed, and nothing else reports it
			t.lostUnread(f)
			t.gone(f)
		}
		return
	}
	var st unix.Stat_t
	err := unix.Stat(f.path(), &st)
	switch {
	case errors.Is(err, unix.ENOENT) || err == nil && idOf(&st) != f.id:
		t.relist = true // the name is gone, or another file's
	case err != nil:
		t.warm(f) // opening it says why
	default:
		t.compareTo(f, &st)
	}
}

// compareTo opens a closed log whose size or time of modification is not what it was.
func (t *Tailer) compareTo(f *file, st *unix.Stat_t) {
	if f.fd < 0 && f.err == nil && !f.waits && (st.Size != f.size || st.Mtim != f.modified) {
		t.warm(f)
	}
}
