package tail

import (
	"errors"

	"golang.org/x/sys/unix"
)

// watchHint returns the hint for a file or directory that inotify cannot watch.
func watchHint(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return "the inotify watches of this user are used up: raise fs.inotify.max_user_watches"
	case errors.Is(err, unix.EACCES):
		return "a watch needs the permission to read: give it to this user"
	case errors.Is(err, unix.ENOENT):
		return "mount /proc: watches are set through /proc/self/fd"
	case errors.Is(err, unix.ENOMEM):
		return "the kernel has no memory for another watch"
	}
	return "the file system may not support inotify"
}

// instanceHint returns the hint for a failure to create an inotify instance. descriptorLeft reports
// whether the process could open another descriptor.
func instanceHint(err error, descriptorLeft bool) string {
	switch {
	case errors.Is(err, unix.EMFILE) && descriptorLeft:
		return "the inotify instances of this user are used up: raise fs.inotify.max_user_instances"
	case errors.Is(err, unix.EMFILE):
		return "the file descriptors of this process are used up: raise LimitNOFILE= of the unit (ulimit -n)"
	case errors.Is(err, unix.ENFILE):
		return "the file descriptors of this machine are used up: raise fs.file-max"
	case errors.Is(err, unix.ENOMEM):
		return "the kernel has no memory for inotify"
	}
	return "the kernel may have no inotify"
}

// descriptorLeft reports whether this process can open another descriptor.
func descriptorLeft() bool {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return false
	}
	return unix.Close(fd) == nil
}
