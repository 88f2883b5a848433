package tail

import (
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
)

// env is shared by all parts of a Tailer.
type env struct {
	cfg      Config
	gate     Gate
	watch    *watcher
	counters Counters
	began    time.Time
	now      time.Time // time of the current step
	first    bool      // the first listing is in progress
	// relist is set if events were lost, or a name may now be another file's: the next step lists
	// the directories.
	relist           bool
	nextHousekeeping time.Time
	devices          map[uint64]bool // by device: its file system is local
	// bornAt, if not nil, replaces the birth times that file systems report.
	bornAt func(logfile.ID) int64
}

// ago returns a rounded duration for messages.
func (e *env) ago(since time.Time) time.Duration { return e.now.Sub(since).Round(time.Second) }

// addLoss counts a loss, and keeps it in the checkpoint until it is acknowledged. change, if not nil,
// changes the stream as in Checkpoint.Update: a process that is killed leaves both in the checkpoint,
// or neither. With the change alone the next process would not look for the lines again.
func (e *env) addLoss(l checkpoint.Loss, change func()) {
	l.AtUnix = e.now.Unix()
	if change == nil {
		e.cfg.Checkpoint.Losses.Add(l)
	} else {
		e.cfg.Checkpoint.Losses.AddWith(l, change)
	}
	e.counters.LostBytes.Add(l.Bytes)
	e.counters.LostFiles.Add(1)
}

// bornNs returns when a file was created, in ns since 1970; 0: not known.
func (e *env) bornNs(id logfile.ID, told int64) int64 {
	if e.bornAt != nil {
		return e.bornAt(id)
	}
	return told
}

// local calls isLocal once for each device between two listings, because a device number may be
// another mount's later.
func (e *env) local(f *file) bool {
	local, known := e.devices[f.id.Device]
	if !known {
		local = e.cfg.local(f.fd)
		e.devices[f.id.Device] = local
	}
	return local
}

// localMagics are the file systems for which inotify reports every write.
var localMagics = map[int64]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true, unix.RAMFS_MAGIC: true,
	unix.F2FS_SUPER_MAGIC: true, unix.REISERFS_SUPER_MAGIC: true, 0x3153464a: true /* JFS */, 0x2fc12fc1: true /* ZFS */, 0xca451a4e: true, /* bcachefs */
}

// isLocal reports whether inotify reports every write to an open file.
func isLocal(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && localMagics[st.Type]
}
