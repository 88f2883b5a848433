package tail

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/checkpoint"
	"sluice/ingest/logfile"
	"sluice/retry"
)

// place is a name of a file.
type place struct {
	dir  *directory
	name string
}

func (p place) path() string { return filepath.Join(p.dir.path, p.name) }

// file is a log that is followed.
type file struct {
	id     logfile.ID
	state  state // changed by fileSet.to only
	source *matcher
	places []place // its names; empty: it was removed, or moved out of sight
	last   string  // the last path it was known by

	stream    *checkpoint.Stream // nil until its first line is whole
	copied    bool               // the stream began in another file, which this continues
	fd        int                // -1 unless state.isOpen()
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
	remote    bool               // a watch may not report every write: it is polled, too
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
	backoff  retry.Backoff
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
	if first {
		f.backoff = retry.Backoff{First: firstRetry, Max: lastRetry}
	}
	f.next = now.Add(f.backoff.Next())
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
