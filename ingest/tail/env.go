package tail

import (
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
)

// env is what all parts of a Tailer share.
type env struct {
	cfg      Config
	gate     Gate
	watch    *watcher
	counters Counters
	began    time.Time
	now      time.Time // of the present step
	first    bool      // the first listing is under way
	// relist: events were lost, or a name is another file's by now: the next step lists
	// the directories.
	relist           bool
	nextHousekeeping time.Time
	devices          map[uint64]bool // whether a device's file system is local
	// bornAt, if any, replaces what file systems say of when a file was made.
	bornAt func(logfile.ID) int64
}

// ago is for messages.
func (e *env) ago(since time.Time) time.Duration { return e.now.Sub(since).Round(time.Second) }

// addLoss counts a loss, and keeps it until it is acknowledged.
func (e *env) addLoss(l checkpoint.Loss) {
	l.AtUnix = e.now.Unix()
	e.cfg.Checkpoint.AddLoss(l)
	e.counters.LostBytes.Add(l.Bytes)
	e.counters.LostFiles.Add(1)
}

// bornNs is when a file was made, ns since 1970; 0 where that is not known.
func (e *env) bornNs(id logfile.ID, told int64) int64 {
	if e.bornAt != nil {
		return e.bornAt(id)
	}
	return told
}

// local is isLocal, asked once a device between two listings: a device number may be
// another mount's later.
func (e *env) local(f *file) bool {
	local, known := e.devices[f.id.Device]
	if !known {
		local = e.cfg.local(f.fd)
		e.devices[f.id.Device] = local
	}
	return local
}

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
