package tail

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"sluice/ingest/logfile"
)

// openRegular opens a log for reading. Neither a pipe nor a device that took its
// name can make it wait.
func openRegular(path string) (fd int, st unix.Stat_t, err error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	// A log that is written all the time has its time of access written at every
	// read, relatime or not, and the inode with it: a sixth of what a look costs.
	// Who does not own the log may not ask for it.
	fd, err = unix.Open(path, flags|unix.O_NOATIME, 0)
	if err == unix.EPERM {
		fd, err = unix.Open(path, flags, 0)
	}
	if err != nil {
		return -1, st, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("it is no regular file any more")
	}
	if err != nil {
		unix.Close(fd)
		return -1, st, fmt.Errorf("%s: %w", path, err)
	}
	return fd, st, nil
}

func idOf(st *unix.Stat_t) logfile.ID { return logfile.ID{Device: st.Dev, Inode: st.Ino} }

// open opens a file by its name. It must be the file it was.
func (set *fileSet) open(f *file) bool {
	set.makeRoom(1)
	fd, st, err := openRegular(f.path())
	if err != nil && set.pressed(err) {
		fd, st, err = openRegular(f.path())
	}
	if err == nil && idOf(&st) != f.id {
		unix.Close(fd)
		err = fmt.Errorf("%s: another file has this name", f.path())
		set.relist = true
	}
	if errors.Is(err, unix.ENOENT) && len(f.places) > 0 {
		set.relist = true
	}
	if err != nil {
		set.failed(f, err)
		return false
	}
	if f.err != nil {
		if f.attempts >= attemptsToTell {
			set.cfg.Log.Info("log read recovered", "path", f.path(), "after", set.ago(f.since))
		}
		f.failure = failure{}
	}
	f.fd, f.size, f.refused.size = fd, st.Size, -1
	f.unseen = true
	if f.bornNs == 0 {
		f.bornNs = set.bornNs(f.id, logfile.BornNs(fd))
	}
	if f.state == stateShelved {
		set.to(f, stateHeld)
	} else {
		set.to(f, stateOpen)
	}
	if f.stream != nil {
		set.contents.met(f)
	}
	return true
}

// failed notes that a file cannot be read; it is tried again. The log says so from
// the second time on: a log that logrotate has just made is root's alone until it
// has got its owner and permissions, and whoever is not root may look between.
func (set *fileSet) failed(f *file, err error) {
	set.counters.Failures.Add(1)
	f.fail(err, set.now)
	set.to(f, stateFailing)
	if f.attempts == attemptsToTell {
		set.cfg.Log.Warn("log read failed, retrying", "path", f.path(), "err", err)
	}
}

// replace makes fd the descriptor of a file; the one that it has is closed.
func (set *fileSet) replace(f *file, fd int) {
	set.closeFile(f)
	f.fd, f.failure = fd, failure{}
	if f.state.isOpen() {
		set.hot = append(set.hot, f)
	}
	set.to(f, stateOpen)
}
