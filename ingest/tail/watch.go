package tail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// watcher has the inotify descriptors of a Tailer: one for directories, one for cold files, and an
// eventfd by which other goroutines end a wait. If the kernel provides no inotify instance, because
// its limit is reached, dirs and cold are -1 and the Tailer lists and polls instead.
type watcher struct {
	dirs, cold, wakeup int
	buffer             []byte
	// closing guards closed: a late wake must not write to a descriptor whose number was reused for
	// another file.
	closing sync.Mutex
	closed  bool
	// add is inotify_add_watch(2); tests replace it by one that fails.
	add func(fd int, path string, mask uint32) (int, error)
}

// event is one inotify event; name is empty for an event of the watched file itself.
type event struct {
	wd     int32
	mask   uint32
	cookie uint32
	name   string
}

const (
	dirMask  = unix.IN_CREATE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	coldMask = unix.IN_MODIFY | unix.IN_ONESHOT
)

func newWatcher() (*watcher, error) {
	wakeup, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	w := &watcher{dirs: -1, cold: -1, wakeup: wakeup, buffer: make([]byte, 64<<10), add: unix.InotifyAddWatch}
	if w.dirs, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err == nil {
		w.cold, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	}
	if err != nil {
		return w, fmt.Errorf("inotify: %w", err)
	}
	return w, nil
}

// again requests what the kernel did not provide at the start. It reports whether anything was
// provided now.
func (w *watcher) again() bool {
	had := min(w.dirs, w.cold)
	for _, fd := range []*int{&w.dirs, &w.cold} {
		if *fd < 0 {
			if n, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err == nil {
				*fd = n
			}
		}
	}
	return had < 0 && min(w.dirs, w.cold) >= 0
}

func (w *watcher) close() error {
	w.closing.Lock()
	defer w.closing.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	var errs []error
	for _, fd := range []int{w.dirs, w.cold, w.wakeup} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}

// wake ends the present or the next wait. It may be called concurrently and also after close.
func (w *watcher) wake() {
	w.closing.Lock()
	defer w.closing.Unlock()
	if w.closed {
		return
	}
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(w.wakeup, one[:]) //nolint:errcheck // full means that a wake is pending already
}

// wait waits until a directory changes, wake is called, or the timeout is over; if cold is set,
// also until a cold file is written. A negative timeout means no limit.
func (w *watcher) wait(timeout time.Duration, cold bool) error {
	fds := []unix.PollFd{{Fd: int32(w.dirs), Events: unix.POLLIN}, {Fd: int32(w.wakeup), Events: unix.POLLIN}, {Fd: int32(w.cold), Events: unix.POLLIN}}
	if !cold {
		fds = fds[:2]
	}
	ms := -1
	if timeout >= 0 {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	_, err := unix.Poll(fds, ms)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("poll: %w", err)
	}
	if fds[1].Revents != 0 {
		var b [8]byte
		unix.Read(w.wakeup, b[:]) //nolint:errcheck // clears the counter
	}
	return nil
}

// watchDir watches the names in a directory.
func (w *watcher) watchDir(path string) (int32, error) {
	if w.dirs < 0 {
		return -1, nil
	}
	wd, err := w.add(w.dirs, path, dirMask)
	return int32(wd), noSpace(err, path)
}

// watchCold watches an open file for its next write. It is addressed by its descriptor, because its
// name may belong to another file now.
func (w *watcher) watchCold(fd int) (int32, error) {
	if w.cold < 0 {
		return -1, unix.ENOSPC
	}
	wd, err := w.add(w.cold, fmt.Sprintf("/proc/self/fd/%d", fd), coldMask)
	return int32(wd), err
}

func (w *watcher) unwatchCold(wd int32) {
	unix.InotifyRmWatch(w.cold, uint32(wd)) //nolint:errcheck // the watch may have fired, which removes it
}

func (w *watcher) unwatchDir(wd int32) {
	if w.dirs >= 0 {
		unix.InotifyRmWatch(w.dirs, uint32(wd)) //nolint:errcheck // the directory may be gone
	}
}

func noSpace(err error, path string) error {
	if errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("watch %s: %s: %w", path, watchHint(err), err)
	}
	if err != nil {
		return &os.PathError{Op: "watch", Path: path, Err: err}
	}
	return nil
}

// drain calls each for the pending events of fd. It reports whether the queue had overflowed, so
// that everything must be checked.
func (w *watcher) drain(fd int, each func(event)) (overflowed bool, err error) {
	for fd >= 0 {
		n, err := unix.Read(fd, w.buffer)
		if err == unix.EAGAIN {
			break
		}
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return overflowed, fmt.Errorf("read inotify events: %w", err)
		}
		for b := w.buffer[:n]; len(b) >= unix.SizeofInotifyEvent; {
			e := event{
				wd: int32(binary.NativeEndian.Uint32(b)), mask: binary.NativeEndian.Uint32(b[4:]), cookie: binary.NativeEndian.Uint32(b[8:]),
			}
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			e.name = strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00")
			b = b[end:]
			if e.mask&unix.IN_Q_OVERFLOW != 0 {
				overflowed = true
				continue
			}
			each(e)
		}
	}
	return overflowed, nil
}
