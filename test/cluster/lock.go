package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock waits for a lock of the kernel's on a file: shared (unix.LOCK_SH) or
// exclusive (unix.LOCK_EX). The kernel gives it back when the process ends,
// however it ends, which is why these are not files with a pid in them. A caller
// that never calls unlock holds the lock to that end.
func lock(path string, how int) (unlock func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// No *os.File: a garbage collection would close it.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(fd, how)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() error { return unix.Close(fd) }, nil
}
