package tail

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"sluice/ingest/logfile"
)

// openRegular opens a log for reading, without blocking if a pipe or a device has taken its name.
func openRegular(path string) (fd int, st unix.Stat_t, err error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	// Without O_NOATIME a log that grows has its access time, and so its inode, written at every
	// read, relatime or not: a sixth of the cost of a look. The flag needs the ownership of the
	// file.
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

// open opens a file by its name, and checks that it is still the same file.
func (de *descriptors) open(f *file) bool {
	de.makeRoom(1)
	fd, st, err := openRegular(f.path())
	if err != nil && de.pressed(err) {
		fd, st, err = openRegular(f.path())
	}
	if err == nil && idOf(&st) != f.id {
		unix.Close(fd)
		err = fmt.Errorf("%s: another file has this name", f.path())
		de.relist = true
	}
	if errors.Is(err, unix.ENOENT) && len(f.places) > 0 {
		de.relist = true
	}
	if err != nil {
		de.set.failed(f, err)
		return false
	}
	if f.err != nil {
		if f.attempts >= attemptsToTell {
			de.cfg.Log.Info("log read recovered", "path", f.path(), "after", de.ago(f.since))
		}
		f.failure = failure{}
	}
	f.fd, f.size, f.refused.size = fd, st.Size, -1
	f.unseen = true
	if f.bornNs == 0 {
		f.bornNs = de.bornNs(f.id, logfile.BornNs(fd))
	}
	if f.state == stateShelved {
		de.set.to(f, stateHeld)
	} else {
		de.set.to(f, stateOpen)
	}
	if f.stream != nil {
		de.contents.met(f)
	}
	return true
}
