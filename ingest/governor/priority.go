package governor

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	niceLowest = 19
	// ioprio_set(2): class best effort, its lowest level. The idle class was rejected: on a disk
	// that is never idle it gets nothing, and a log that is not read before its rotation is lost.
	ioprioWhoProcess  = 1
	ioprioClassShift  = 13
	ioprioBestEffort  = 2
	ioprioLowest      = 7
	maxThreadListings = 16
	lowestIOPriority  = ioprioBestEffort<<ioprioClassShift | ioprioLowest
)

// Lower sets the lowest CPU priority for this process and, within best effort, the lowest disk
// priority. Linux keeps both for each thread, and a thread inherits those of its creator, so
// threads are listed until no new one is found.
func Lower() error {
	done := map[int]bool{}
	for range maxThreadListings {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("lower the priority: %w", err)
		}
		fresh := false
		for _, e := range threads {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || done[tid] {
				continue
			}
			fresh, done[tid] = true, true
			if err := lower(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if !fresh {
			return nil
		}
	}
	return nil
}

func lower(tid int) error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, tid, niceLowest); err != nil {
		return fmt.Errorf("set nice %d: %w", niceLowest, err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(tid), lowestIOPriority); errno != 0 {
		return fmt.Errorf("set the I/O priority: %w", errno)
	}
	return nil
}
