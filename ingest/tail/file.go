package tail

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
)

// place is a name of a file.
type place struct {
	dir  *directory
	name string
}

func (p place) path() string { return filepath.Join(p.dir.path, p.name) }

// file is a log that is followed. It is in one of four conditions: hot (fd open,
// swept), cold (watched), failing (tried again later), held back (it looks like a
// copy of another log: copies.go).
type file struct {
	id     logfile.ID
	source *matcher
	places []place // its names; empty: it was removed, or moved out of sight
	last   string  // the last path it was known by

	stream    *checkpoint.Stream // nil until its first line is whole
	copied    bool               // the stream began in another file, which this continues
	fd        int                // -1 unless hot
	wd        int32              // of the one-shot watch; -1 unless cold
	read      int64              // everything before was handed over
	size      int64              // as last seen
	growth    growth
	hole      int64              // so many NUL bytes are before its first line
	holeBytes int64              // NUL bytes before lines that were read
	mark      uint64             // hash of the markBytes before read
	part      bool               // what is unread is a line that is not finished
	live      bool               // it has had no other name than the one it is written under
	unseen    bool               // it was opened and not looked at since: its size says nothing of what is unread
	waits     bool               // it is closed with unread lines, for want of a descriptor
	away      bool               // it was moved to where its name is not seen
	bornNs    int64              // when it was made, in ns since 1970; 0 where that is not known
	heldSince time.Time          // it is held back since then
	copyOf    *checkpoint.Stream // it is a copy of that, which is there; not read

	refused refusal

	active   time.Time     // of the last growth
	modified unix.Timespec // when it was closed
	failure
	backlog
}

// failure is why a file is not read at present.
type failure struct {
	err      error
	since    time.Time
	next     time.Time
	attempts int
}

const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	// attemptsToTell is how many must have failed before the log tells of it.
	attemptsToTell = 2
)

// fail notes an error; it reports whether it is the first since the file was well.
func (f *failure) fail(err error, now time.Time) (first bool) {
	if first = f.err == nil; first {
		f.since = now
	}
	f.err = err
	f.next = now.Add(min(firstRetry<<min(f.attempts, 8), lastRetry))
	f.attempts++
	return first
}

func (f *file) path() string {
	if len(f.places) > 0 {
		return f.places[0].path()
	}
	return f.last
}

// unread is how much is known to wait.
func (f *file) unread() int64 {
	if f.refused.content != "" {
		return 0
	}
	return max(0, f.size-f.read)
}

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

// pread reads what there is at offset. A regular file gives less than was asked
// for only at its end; a second call, to make sure, would double the price of a
// look, and what it would find the next look finds.
func pread(fd int, b []byte, offset int64) (int, error) {
	for {
		n, err := unix.Pread(fd, b, offset)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// markOf hashes the bytes before a position.
func (t *Tailer) markOf(before []byte) uint64 {
	return maphash.Bytes(t.seed, before[max(0, len(before)-markBytes):])
}

// markSize is how many bytes before the position are compared.
func (f *file) markSize() int { return int(min(f.read, markBytes)) }

// takeMark reads the mark at the file's position.
func (t *Tailer) takeMark(f *file) error {
	b := t.before[:f.markSize()]
	n, err := pread(f.fd, b, f.read-int64(len(b)))
	if err != nil {
		return err
	}
	if n < len(b) {
		return errors.New("it is shorter than what is stored of it")
	}
	f.mark = t.markOf(b)
	return nil
}

// sameMark reports whether the bytes before a file's position are what they were.
func (t *Tailer) sameMark(f *file) bool {
	b := t.before[:f.markSize()]
	n, err := pread(f.fd, b, f.read-int64(len(b)))
	return err == nil && n == len(b) && t.markOf(b) == f.mark
}

func (t *Tailer) closeFile(f *file) {
	if f.fd >= 0 {
		unix.Close(f.fd)
		f.fd = -1
		t.hot = slices.DeleteFunc(t.hot, func(o *file) bool { return o == f })
	}
}
